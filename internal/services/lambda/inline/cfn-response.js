// Sends what a custom resource's provider has done to CloudFormation.
const http = require('http');
const https = require('https');

exports.SUCCESS = 'SUCCESS';
exports.FAILED = 'FAILED';

// send puts the answer to the event's ResponseURL and resolves when it is there.
exports.send = function (event, context, responseStatus, responseData, physicalResourceId, noEcho) {
  return new Promise((resolve, reject) => {
    const body = JSON.stringify({
      Status: responseStatus,
      Reason: 'See the details in CloudWatch Log Stream: ' + context.logStreamName,
      PhysicalResourceId: physicalResourceId || context.logStreamName,
      StackId: event.StackId,
      RequestId: event.RequestId,
      LogicalResourceId: event.LogicalResourceId,
      NoEcho: noEcho || false,
      Data: responseData,
    });
    const url = new URL(event.ResponseURL);
    const options = { method: 'PUT', headers: { 'content-type': '', 'content-length': Buffer.byteLength(body) } };
    const request = (url.protocol === 'http:' ? http : https).request(url, options, (response) => {
      response.resume();
      response.on('end', () => {
        context.done();
        resolve();
      });
    });
    request.on('error', (error) => {
      console.log('the answer could not be sent: ' + error);
      context.done(error);
      reject(error);
    });
    request.end(body);
  });
};
