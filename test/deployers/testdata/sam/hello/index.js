exports.handler = async () => {
  console.log('greeting somebody')
  return {statusCode: 200, body: `${process.env.GREETING} one`}
}
