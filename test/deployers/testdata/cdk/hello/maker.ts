export const handler = async (event: {ResourceProperties: {Word: string}}) => ({
  PhysicalResourceId: 'made',
  Data: {Word: event.ResourceProperties.Word + ' resource'},
})
