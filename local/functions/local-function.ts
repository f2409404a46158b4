import type { FunctionFacts } from "../template/facts.ts";
import { FunctionError } from "./function-error.ts";
import { type FunctionLog, openFunctionLog } from "./function-log.ts";
import { FunctionWorker } from "./function-worker.ts";

export interface LocalFunctionOptions {
  readonly facts: FunctionFacts;
  /** What the template does not say: region, credentials, endpoints. */
  readonly runtime: FunctionRuntime;
  readonly logDirectory: string;
  /**
   * Environments at most. 1 environment is `shared`: it serves any number of invocations at once, which Lambda would
   * give one environment each. Otherwise each serves one at a time, and further invocations wait.
   */
  readonly environments: "shared" | number;
}

/** The surroundings that Lambda would set. */
export interface FunctionRuntime {
  readonly region: string;
  readonly credentials: { readonly accessKeyId: string; readonly secretAccessKey: string };
  readonly endpoints: {
    readonly dynamodb: string;
    readonly s3: string;
    readonly sqs: string;
    readonly eventBridge: string;
  };
}

/** A function of the stack: its built bundle, started at the first call and kept, as Lambda keeps its environments. */
export class LocalFunction {
  readonly facts: FunctionFacts;
  readonly #log: FunctionLog;
  readonly #environment: Readonly<Record<string, string>>;
  readonly #workers = new Set<FunctionWorker>();
  readonly #waiting: (() => void)[] = [];
  #closed = false;

  constructor(private readonly options: LocalFunctionOptions) {
    this.facts = options.facts;
    this.#log = openFunctionLog(options.logDirectory, options.facts.name);
    this.#environment = environmentOf(options);
  }

  /** Runs the function on a JSON text; rejects with a FunctionError. */
  async invoke(event: string): Promise<unknown> {
    if (this.options.environments === "shared") return this.#shared().invoke(event);
    const worker = await this.#idle(this.options.environments);
    try {
      return await worker.invoke(event);
    } finally {
      this.#busy.delete(worker);
      this.#waiting.shift()?.();
    }
  }

  /** Waits for what runs, at most so long, then ends all environments. */
  async close(graceMs: number): Promise<void> {
    this.#closed = true;
    const deadline = Date.now() + graceMs;
    while (Date.now() < deadline && [...this.#workers].some((worker) => worker.running > 0))
      await new Promise((resolve) => setTimeout(resolve, 10));
    await Promise.all([...this.#workers].map((worker) => worker.end()));
    for (const wake of this.#waiting.splice(0)) wake();
    await this.#log.close();
  }

  readonly #busy = new Set<FunctionWorker>();

  #shared(): FunctionWorker {
    this.#forgetEnded();
    for (const worker of this.#workers) if (worker.usable) return worker;
    return this.#start();
  }

  async #idle(max: number): Promise<FunctionWorker> {
    for (;;) {
      this.#forgetEnded();
      const free = [...this.#workers].find((worker) => worker.usable && !this.#busy.has(worker));
      if (free !== undefined || this.#busy.size < max) {
        const worker = free ?? this.#start();
        this.#busy.add(worker);
        return worker;
      }
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
      if (this.#closed) throw new FunctionError("ServiceException", "The service is stopping.");
    }
  }

  #start(): FunctionWorker {
    if (this.#closed) throw new FunctionError("ServiceException", "The service is stopping.");
    const worker = new FunctionWorker(this.facts, this.#environment, this.#log);
    this.#workers.add(worker);
    return worker;
  }

  #forgetEnded(): void {
    for (const worker of this.#workers)
      if (!worker.usable && worker.running === 0) this.#workers.delete(worker);
  }
}

/**
 * Exactly what the template gives and the Lambda runtime sets
 * (docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html), and nothing of the developer's own environment:
 * what works here by accident would fail there.
 */
function environmentOf({ facts, runtime }: LocalFunctionOptions): Record<string, string> {
  return {
    ...facts.environment,
    _HANDLER: facts.handler,
    TZ: ":UTC",
    LANG: "en_US.UTF-8",
    PATH: "/var/lang/bin:/usr/local/bin:/usr/bin:/bin",
    LAMBDA_TASK_ROOT: facts.codeDirectory ?? "",
    AWS_REGION: runtime.region,
    AWS_DEFAULT_REGION: runtime.region,
    AWS_EXECUTION_ENV: "AWS_Lambda_nodejs24.x",
    AWS_LAMBDA_FUNCTION_NAME: facts.name,
    AWS_LAMBDA_FUNCTION_VERSION: "$LATEST",
    AWS_LAMBDA_FUNCTION_MEMORY_SIZE: String(facts.memoryMb),
    AWS_LAMBDA_INITIALIZATION_TYPE: "on-demand",
    AWS_LAMBDA_LOG_GROUP_NAME: `/aws/lambda/${facts.name}`,
    AWS_LAMBDA_LOG_STREAM_NAME: "local",
    AWS_ACCESS_KEY_ID: runtime.credentials.accessKeyId,
    AWS_SECRET_ACCESS_KEY: runtime.credentials.secretAccessKey,
    // Where the SDK's clients find their services.
    AWS_ENDPOINT_URL_DYNAMODB: runtime.endpoints.dynamodb,
    AWS_ENDPOINT_URL_S3: runtime.endpoints.s3,
    AWS_ENDPOINT_URL_SQS: runtime.endpoints.sqs,
    AWS_ENDPOINT_URL_EVENTBRIDGE: runtime.endpoints.eventBridge,
    // The SDK's advice to leave Node 20 is for us, not for every function's log.
    AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED: "true",
  };
}
