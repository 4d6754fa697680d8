// The offer of the day. One function, two aliases: the stage's variable says which
// of them a request reaches, and the alias what is offered.
const offers = {
  stable: { title: "Three for two", text: "Take three of a kind and pay for two of them.", percent: 33 },
  next: { title: "Half price after four", text: "Whatever is left after four o'clock costs half.", percent: 50 },
};

exports.handler = async (event, context) => {
  const alias = context.invokedFunctionArn.split(":")[7];
  const { requestContext } = event;
  return {
    statusCode: 200,
    headers: { "Content-Type": "application/json", "Access-Control-Allow-Origin": "*" },
    body: JSON.stringify({ alias, stage: requestContext.stage, ...offers[alias] }),
  };
};
