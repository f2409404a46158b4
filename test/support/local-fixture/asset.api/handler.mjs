// A function with many behaviours, chosen by the query: enough to test whatever surrounds a function.
import { existsSync } from "node:fs";

let invocations = 0;
let underWay = 0;
let mostAtOnce = 0;
const started = Date.now();

const pause = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));

export const handler = async (event, context) => {
  underWay += 1;
  mostAtOnce = Math.max(mostAtOnce, underWay);
  try {
    return await behave(event, context);
  } finally {
    underWay -= 1;
  }
};

const behave = async (event, context) => {
  invocations += 1;
  const { do: what, count, file } = event.queryStringParameters ?? {};
  if (what === "throw") throw new TypeError("as asked");
  if (what === "exit") process.exit(1);
  if (what === "crash") return new Promise(() => setTimeout(() => undefined.crash));
  if (what === "hang") return new Promise(() => {});
  if (what === "spin") for (;;);
  if (what === "sleep") await pause(50);
  // Ends only once so many calls are in this environment at the same time.
  while (what === "meet" && mostAtOnce < count) await pause(1);
  while (what === "wait" && !existsSync(file)) await pause(5);
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
      mostAtOnce,
      started,
      remainingMs: context.getRemainingTimeInMillis(),
      requestId: context.awsRequestId,
      functionName: context.functionName,
    }),
  };
};
