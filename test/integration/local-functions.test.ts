import { mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { LocalFunction } from "../../local/functions/local-function.ts";
import type { FunctionFacts } from "../../local/template/facts.ts";

const codeDirectory = fileURLToPath(new URL("../support/local-fixture/asset.api", import.meta.url));

const aFunction = (facts: Partial<FunctionFacts> = {}): FunctionFacts => ({
  logicalId: "Fn",
  name: "fn",
  arn: "arn:aws:lambda:us-east-1:000000000000:function:fn",
  codeDirectory,
  handler: "handler.handler",
  environment: { TABLE_NAME: "codes" },
  timeoutSeconds: 60,
  memoryMb: 128,
  ...facts,
});

interface Echo {
  readonly environment: Record<string, string>;
  readonly invocations: number;
  readonly mostAtOnce: number;
  readonly started: number;
  readonly remainingMs: number;
  readonly functionName: string;
}

let logDirectory: string;
let started: LocalFunction[] = [];

beforeEach(() => {
  logDirectory = mkdtempSync(join(tmpdir(), "functions-"));
});
afterEach(async () => {
  await Promise.all(started.map((each) => each.close(0)));
  started = [];
});

function start(
  facts: Partial<FunctionFacts> = {},
  environments: "shared" | number = "shared",
): LocalFunction {
  const one = new LocalFunction({
    facts: aFunction(facts),
    environments,
    logDirectory,
    runtime: {
      region: "us-east-1",
      credentials: { accessKeyId: "id", secretAccessKey: "secret" },
      endpoints: { dynamodb: "http://d", s3: "http://s", sqs: "http://q", eventBridge: "http://e" },
    },
  });
  started.push(one);
  return one;
}

type More = Readonly<Record<string, string | number>>;
const event = (what?: string, more?: More) =>
  JSON.stringify({ queryStringParameters: what === undefined ? null : { do: what, ...more } });
const run = (fn: LocalFunction, what?: string, more?: More) => fn.invoke(event(what, more));
const echo = async (fn: LocalFunction, what?: string, more?: More): Promise<Echo> => {
  const { body } = (await run(fn, what, more)) as { body: string };
  return JSON.parse(body);
};

describe("a local function", () => {
  it("sees the template's environment and the runtime's, and nothing of the developer's", async () => {
    process.env.DEVELOPERS_OWN = "must not be seen";

    const { environment } = await echo(start());

    expect(environment).toMatchObject({
      TABLE_NAME: "codes",
      TZ: ":UTC",
      AWS_REGION: "us-east-1",
      AWS_LAMBDA_FUNCTION_NAME: "fn",
      AWS_LAMBDA_FUNCTION_MEMORY_SIZE: "128",
      AWS_ENDPOINT_URL_DYNAMODB: "http://d",
      AWS_ENDPOINT_URL_S3: "http://s",
      AWS_ENDPOINT_URL_SQS: "http://q",
      AWS_ENDPOINT_URL_EVENTBRIDGE: "http://e",
      LAMBDA_TASK_ROOT: codeDirectory,
      _HANDLER: "handler.handler",
    });
    const own = Object.keys(environment).filter(
      (name) => !/^(AWS_|LAMBDA_|_HANDLER$|TZ$|LANG$|PATH$|TABLE_NAME$)/.test(name),
    );
    expect(own).toEqual([]);
    delete process.env.DEVELOPERS_OWN;
  });

  it("is started once and kept, and knows its remaining time", async () => {
    const fn = start();

    const first = await echo(fn);
    const second = await echo(fn);

    expect([first.invocations, second.invocations, second.started]).toEqual([1, 2, first.started]);
    expect(second.remainingMs).toBeGreaterThan(30_000);
    expect(second.remainingMs).toBeLessThanOrEqual(60_000);
    expect(second.functionName).toBe("fn");
  });

  it("serves many calls at once when it is shared", async () => {
    const fn = start();

    const answers = await Promise.all(Array.from({ length: 10 }, () => echo(fn, "meet", { count: 10 })));

    expect(new Set(answers.map((each) => each.started)).size).toBe(1);
  });

  it("serves one call at a time per environment otherwise, up to so many environments", async () => {
    const fn = start({}, 2);

    const answers = await Promise.all(Array.from({ length: 8 }, () => echo(fn, "sleep")));

    expect(answers.map((each) => each.mostAtOnce)).toEqual(Array(8).fill(1));
    // Each environment has one first call: there are two.
    expect(answers.filter((each) => each.invocations === 1)).toHaveLength(2);
  });

  it("reports what it throws, with Lambda's words, and lives on", async () => {
    const fn = start();

    await expect(run(fn, "throw")).rejects.toMatchObject({ errorType: "TypeError", message: "as asked" });
    expect((await echo(fn)).invocations).toBe(2);
  });

  it.each([
    ["exits", "exit"],
    ["throws where nobody catches", "crash"],
    ["takes more memory than it has", "fill"],
  ])("fails and is replaced when it %s", async (_, what) => {
    const fn = start();

    await expect(run(fn, what)).rejects.toMatchObject({ errorType: "Runtime.ExitError" });

    expect((await echo(fn)).invocations).toBe(1);
  });

  it.each([
    ["waits for ever", "hang"],
    ["computes for ever", "spin"],
  ])("is ended at its time limit and replaced when it %s", async (_, what) => {
    const fn = start({ timeoutSeconds: 2 }, 1);

    await expect(run(fn, what)).rejects.toMatchObject({
      errorType: "Sandbox.Timedout",
      message: "Task timed out after 2.00 seconds",
    });

    expect((await echo(fn)).invocations).toBe(1);
  });

  it("lets other calls of a shared environment finish before it is ended for one that overran", async () => {
    const fn = start({ timeoutSeconds: 3 });
    const file = join(logDirectory, "go on");
    await run(fn);

    const overrun = run(fn, "hang").catch((error: Error) => error.message);
    // The other call begins and ends well away from both time limits.
    await sleep(1_500);
    const other = echo(fn, "wait", { file });
    const message = await overrun;
    writeFileSync(file, "");

    expect(message).toContain("timed out");
    expect((await other).invocations).toBe(3);
    expect((await echo(fn)).invocations).toBe(1);
  });

  it("cannot take or give more than 6 MB", async () => {
    const fn = start();

    await expect(run(fn, "big")).rejects.toMatchObject({ errorType: "Function.ResponseSizeTooLarge" });
    await expect(fn.invoke(JSON.stringify("x".repeat(7_000_000)))).rejects.toMatchObject({
      errorType: "RequestTooLarge",
    });
  });

  it("says why a bundle cannot be loaded", async () => {
    await expect(run(start({ handler: "missing.handler" }))).rejects.toThrow(/missing\.mjs/);
    await expect(run(start({ handler: "handler.absent" }))).rejects.toThrow(/absent is undefined/);
  });

  it("writes what it prints to its own log", async () => {
    const fn = start();

    await run(fn, "log");
    await fn.close(0);

    expect(readFileSync(join(logDirectory, "fn.log"), "utf8")).toContain("written by the function");
  });
});
