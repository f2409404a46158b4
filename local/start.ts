import { parseArgs } from "node:util";
import pc from "picocolors";
import { eventLine } from "./event-line.ts";
import { type LocalService, startLocalService } from "./local-service.ts";
import { welcome } from "./welcome.ts";

const help = `Runs Codewell on this machine: API, DynamoDB, S3, queues and functions, from the stack that would deploy.

Usage: npm start -- [options]

  --fresh              forget all data first
  --port <number>      port of the API; 0 picks a free one      (or PORT; default 3000)
  --host <address>     address that the API listens on          (or HOST; default 127.0.0.1)
  --directory <path>   where the data is kept                   (default .local)
  --help               this text

Environment:
  DYNAMODB_ENDPOINT    use this DynamoDB-compatible engine instead of starting one
  NO_COLOR             print without colours

Writes <directory>/endpoints.json when it is ready. Ctrl-C stops it; data is kept.`;

// The SDK would tell every newcomer on Node 20 about the end of its support.
process.env.AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED = "true";

// Whoever reads along may stop reading, as `npm start | head` does: that is no reason to end without cleaning up.
process.stdout.on("error", () => {});

try {
  const { values } = parseArgs({
    options: {
      fresh: { type: "boolean", default: false },
      port: { type: "string", default: process.env.PORT ?? "3000" },
      host: { type: "string", default: process.env.HOST ?? "127.0.0.1" },
      directory: { type: "string" },
      help: { type: "boolean", default: false },
    },
  });
  if (values.help) console.log(help);
  else await run({ ...values, port: portFrom(values.port) });
} catch (error) {
  console.error(pc.red(error instanceof Error ? error.message : String(error)));
  process.exit(1);
}

async function run(options: { fresh: boolean; port: number; host: string; directory?: string | undefined }) {
  const { directory, ...rest } = options;
  const service = await startLocalService({
    ...rest,
    ...(directory === undefined ? {} : { directory }),
    onBuild: () => console.log(pc.dim("Building functions and stack, because their sources changed …")),
    onEvent: (event) => console.log(eventLine(event)),
  });
  // Counted from the start of the process, so that the loader's time is in it.
  console.log(welcome(service, performance.now() / 1_000));
  stopOnSignal(service);
}

function stopOnSignal(service: LocalService): void {
  let stopping = false;
  const stop = async () => {
    // A second Ctrl-C is impatience: nothing is lost by it.
    if (stopping) process.exit(130);
    stopping = true;
    console.log(pc.dim("Stopping …"));
    await service.close();
    process.exit(0);
  };
  process.on("SIGINT", stop);
  process.on("SIGTERM", stop);
  void service.engineGone.then(() => {
    if (stopping) return;
    console.error(pc.red("The DynamoDB engine ended by itself. Start again: no acknowledged write is lost."));
    process.exit(1);
  });
}

function portFrom(text: string): number {
  const port = Number(text);
  if (Number.isInteger(port) && port >= 0 && port <= 65_535 && text.trim() !== "") return port;
  throw new Error(`"${text}" is no port. Use a number from 0 to 65535.`);
}
