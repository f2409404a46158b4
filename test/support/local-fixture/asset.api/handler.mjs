// A function with many behaviours, chosen by the query: enough to test whatever surrounds a function.
let invocations = 0;
const started = Date.now();

export const handler = async (event, context) => {
  invocations += 1;
  const { do: what } = event.queryStringParameters ?? {};
  if (what === "throw") throw new TypeError("as asked");
  if (what === "exit") process.exit(1);
  if (what === "crash") return new Promise(() => setTimeout(() => undefined.crash));
  if (what === "hang") return new Promise(() => {});
  if (what === "spin") for (;;);
  if (what === "sleep") await new Promise((resolve) => setTimeout(resolve, 400));
  if (what === "fill") {
    const kept = [];
    for (;;) kept.push(new Array(100_000).fill(Math.random()));
  }
  if (what === "nonsense") return "no proxy answer";
  if (what === "big") return { statusCode: 200, body: "x".repeat(7_000_000) };
  if (what === "log") console.log("written by the function");
  return {
    statusCode: 200,
    headers: { "X-Own": "yes" },
    multiValueHeaders: { "Set-Cookie": ["a=1", "b=2"] },
    body: JSON.stringify({
      event,
      environment: process.env,
      invocations,
      started,
      remainingMs: context.getRemainingTimeInMillis(),
      requestId: context.awsRequestId,
      functionName: context.functionName,
    }),
  };
};
