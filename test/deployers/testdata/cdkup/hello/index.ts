export const handler = async (event: {pathParameters: {name: string}}) => ({statusCode: 200, body: `hello ${event.pathParameters.name} ${process.env.GREETING}`})
