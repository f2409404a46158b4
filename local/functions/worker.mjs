// The Lambda runtime inside a worker thread. Plain JavaScript, so that no loader of ours is in the thread with the
// function: it sees Node and its own bundle, as on AWS.
import { pathToFileURL } from "node:url";
import { parentPort, workerData } from "node:worker_threads";

const { file, exportName, name, arn, memoryMb, logGroup } = workerData;

/** Answers as Lambda reports an error of a function. */
const errorOf = (error) => ({
  errorType: error?.name ?? "Error",
  errorMessage: error?.message ?? String(error),
  trace: String(error?.stack ?? "").split("\n"),
});

async function load() {
  const handler = (await import(pathToFileURL(file).href))[exportName];
  if (typeof handler !== "function") throw new Error(`${exportName} is undefined or not exported`);
  // docs.aws.amazon.com/lambda/latest/dg/nodejs-handler.html: Node 24 knows no callbacks.
  if (handler.length > 2) throw new Error("Callback-based function handlers are not supported by Node 24.");
  return handler;
}

const contextOf = ({ requestId, deadline }) => ({
  awsRequestId: requestId,
  functionName: name,
  functionVersion: "$LATEST",
  invokedFunctionArn: arn,
  memoryLimitInMB: String(memoryMb),
  logGroupName: logGroup,
  logStreamName: "local",
  callbackWaitsForEmptyEventLoop: true,
  getRemainingTimeInMillis: () => Math.max(0, deadline - Date.now()),
});

let handler;
try {
  handler = await load();
  parentPort.postMessage({ ready: true });
} catch (error) {
  parentPort.postMessage({ failed: errorOf(error) });
}

parentPort.on("message", async ({ id, event, requestId, deadline }) => {
  try {
    const result = await handler(JSON.parse(event), contextOf({ requestId, deadline }));
    // What is not JSON does not leave a Lambda function either.
    parentPort.postMessage({ id, result: JSON.stringify(result) ?? "null" });
  } catch (error) {
    console.error(JSON.stringify({ level: "ERROR", requestId, ...errorOf(error) }));
    parentPort.postMessage({ id, error: errorOf(error) });
  }
});
