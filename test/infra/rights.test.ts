import { describe, expect, it } from "vitest";
import { jobs, workers } from "../../infra/jobs.ts";
import type { Needs, QueueName } from "../../shared/contract/route.ts";
import { type RouteName, routes } from "../../shared/contract/routes.ts";
import { rightsByFunction, templateOf } from "./synthesized.ts";

const rights = rightsByFunction(templateOf("prod"));

const queueByName: Readonly<Record<QueueName, string>> = {
  audiences: "AllocatingQueue",
  "code-files": "LoadingQueue",
  erasures: "ErasingQueue",
  exports: "ExportingQueue",
  withdrawals: "WithdrawingQueue",
};

/** On what arrives in the uploads bucket: nothing but presigned uploads is written. */
const arriving = (
  actions: NonNullable<Needs["uploads"]>,
  { dropped, uploaded }: { readonly dropped: string; readonly uploaded: string },
): string[] =>
  actions.flatMap((action) => {
    if (action === "ListBucket") return ["s3:ListBucket on FilesUploads"];
    const prefixes = action === "PutObject" ? [uploaded] : [dropped, uploaded];
    return prefixes.map((prefix) => `s3:${action} on FilesUploads/${prefix}*`);
  });

/** The rights that an entry asks for, spelled as IAM does, with those of writing its own log. */
const wanted = (
  name: string,
  { table, uploads, audiences, exports, audienceResults, rejects, queues, events }: Needs,
): string[] => [
  `logs:CreateLogStream on ${name}Logs`,
  `logs:PutLogEvents on ${name}Logs`,
  ...(table ?? []).map((action) => `dynamodb:${action} on CodesTable`),
  ...arriving(uploads ?? [], { dropped: "promocodes/", uploaded: "uploads/" }),
  ...arriving(audiences ?? [], { dropped: "audiences/", uploaded: "audience-uploads/" }),
  ...(exports ?? []).map((action) => `s3:${action} on FilesExports/exports/*`),
  ...(audienceResults ?? []).map(
    (action) => `s3:${action} on FilesExports${action === "ListBucket" ? "" : "/audiences/*"}`,
  ),
  ...(rejects ?? []).map((action) => `s3:${action} on FilesExports/rejects/*`),
  ...(queues ?? []).map((name) => `sqs:SendMessage on ${queueByName[name]}`),
  ...(events ? ["events:PutEvents on EventsBus"] : []),
];

/** What Lambda itself needs to take messages from a queue for a function. */
const consuming = (queue: string): string[] =>
  ["ChangeMessageVisibility", "DeleteMessage", "GetQueueAttributes", "GetQueueUrl", "ReceiveMessage"].map(
    (action) => `sqs:${action} on ${queue}`,
  );

describe("a function's rights", () => {
  it.each(Object.keys(routes) as RouteName[])("are exactly what the route %s needs", (route) => {
    const name = `Api${route.charAt(0).toUpperCase()}${route.slice(1)}`;

    expect(rights.get(name)).toEqual(wanted(name, routes[route].needs).sort());
  });

  it.each([
    ["Loading", jobs.loadCodeFile],
    ["Exporting", jobs.buildExport],
    ["Withdrawing", jobs.sealCodeFile],
    ["Allocating", jobs.allocateAudience],
    ["Erasing", jobs.runErasure],
  ])("are exactly what the job %s needs", (part, job) => {
    const name = `${part}Function`;

    expect(rights.get(name)).toEqual([...wanted(name, job.needs), ...consuming(`${part}Queue`)].sort());
  });

  it("let the authorizer look keys up and the refuser nothing but log", () => {
    expect(rights.get("ApiAuthorizeRequest")).toEqual(
      wanted("ApiAuthorizeRequest", workers.authorizeRequest.needs).sort(),
    );
    expect(rights.get("ApiRefuseMethod")).toEqual(wanted("ApiRefuseMethod", {}).sort());
  });

  it("let the counter read the stream, change counts and name what it could not count", () => {
    expect(rights.get("CountingFunction")).toEqual(
      [
        ...wanted("CountingFunction", workers.countAllocations.needs),
        "dynamodb:DescribeStream on CodesTable.StreamArn",
        "dynamodb:GetRecords on CodesTable.StreamArn",
        "dynamodb:GetShardIterator on CodesTable.StreamArn",
        "dynamodb:ListStreams on CodesTable/stream/*",
        "sqs:GetQueueAttributes on CountingDeadLettersQueue",
        "sqs:GetQueueUrl on CountingDeadLettersQueue",
        "sqs:SendMessage on CountingDeadLettersQueue",
      ].sort(),
    );
  });

  it("are those of the functions named here and of no other", () => {
    expect(rights.size).toBe(
      Object.keys(routes).length + Object.keys(jobs).length + Object.keys(workers).length,
    );
  });

  it("never hold a wildcard action or all resources", () => {
    const all = [...rights.values()].flat();

    expect(all.filter((right) => /\*.* on |on \*$/.test(right))).toEqual([]);
  });
});
