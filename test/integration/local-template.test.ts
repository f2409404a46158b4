import { mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { readTemplate } from "../../local/template/read-template.ts";

const fixture = fileURLToPath(new URL("../support/local-fixture", import.meta.url));
const read = (directory: string) =>
  readTemplate({ directory, region: "us-east-1", queueEndpoint: "http://127.0.0.1:4000" });

function templateOf(Resources: object): string {
  const directory = mkdtempSync(join(tmpdir(), "template-"));
  writeFileSync(join(directory, "T.template.json"), JSON.stringify({ Resources }));
  return directory;
}

describe("a synthesized template", () => {
  it("tells a function's environment with every intrinsic resolved", () => {
    const facts = read(fixture);

    const api = facts.functions.find((each) => each.name === "ApiFunction");
    expect(api?.environment).toEqual({
      TABLE_NAME: "Table",
      QUEUE_URL: "http://127.0.0.1:4000/000000000000/Arrivals",
      UPLOADS_ARN: "arn:aws:s3:::uploads/*",
    });
    expect(api).toMatchObject({
      timeoutSeconds: 5,
      memoryMb: 128,
      codeDirectory: join(fixture, "asset.api"),
    });
  });

  it("tells routes with their paths, guards and functions", () => {
    const { methods } = read(fixture).api;

    expect(methods.map((method) => `${method.httpMethod} ${method.resourcePath}`)).toContain(
      "GET /guarded/{id}",
    );
    expect(methods.find((method) => method.resourcePath === "/guarded/{id}")).toMatchObject({
      functionArn: "arn:aws:lambda:us-east-1:000000000000:function:ApiFunction",
      apiKeyRequired: true,
      authorizer: { identityHeaders: ["x-api-key"], resultTtlSeconds: 60 },
    });
  });

  it("tells queues, notifications and event sources, linked by their ARNs", () => {
    const facts = read(fixture);

    const arrivals = facts.queues.find((queue) => queue.name === "Arrivals");
    const deadLetters = facts.queues.find((queue) => queue.name === "DeadLetters");
    expect(arrivals?.deadLetter).toEqual({ queueArn: deadLetters?.arn, maxReceiveCount: 2 });
    expect(facts.buckets[0]?.notifications).toEqual([
      { event: "s3:ObjectCreated:*", queueArn: arrivals?.arn, prefix: "in/", suffix: ".csv" },
    ]);
    expect(facts.queueSources[0]).toMatchObject({ queueArn: arrivals?.arn, maximumConcurrency: 2 });
    expect(facts.streamSources[0]).toMatchObject({ tumblingWindowSeconds: 1, maximumRetries: 3 });
    expect(facts.outputs.UploadsBucket).toBe("uploads");
  });

  it("is refused when it holds a resource that is not imitated", () => {
    const directory = templateOf({ Clock: { Type: "AWS::Scheduler::Schedule" } });

    expect(() => read(directory)).toThrow(/Clock \(AWS::Scheduler::Schedule\).*cannot imitate/);
  });

  it("is refused when a resource asks for behaviour that is not imitated", () => {
    const directory = templateOf({ Jobs: { Type: "AWS::SQS::Queue", Properties: { FifoQueue: true } } });

    expect(() => read(directory)).toThrow(/Jobs \(AWS::SQS::Queue\).*FifoQueue/);
  });

  it("is refused when a function's environment names something without a local counterpart", () => {
    const directory = templateOf({
      Topic: { Type: "AWS::SNS::Topic" },
      Fn: {
        Type: "AWS::Lambda::Function",
        Properties: {
          Code: {},
          Handler: "handler.handler",
          Environment: { Variables: { A: { Ref: "Topic" } } },
        },
      },
    });

    expect(() => read(directory)).toThrow(/Fn .*Ref Topic has no local counterpart/);
  });
});
