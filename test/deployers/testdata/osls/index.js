exports.handler = async (event) => {
  console.log('greeting somebody')
  return {statusCode: 200, body: `hello ${event.pathParameters.name}`}
}
