import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { ListObjectVersionsCommand, S3Client } from "@aws-sdk/client-s3";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { jobs, workers } from "../../infra/jobs.ts";
import { routes } from "../../shared/contract/routes.ts";
import { rightsByFunction, templateOf } from "../infra/synthesized.ts";
import { type Tour, tourOf } from "../support/service-tour.ts";
import { startWatchedService, type WatchedService } from "../support/watched-service.ts";

/** In every customer id of the tour, so that it is found wherever it should not be. */
const marker = "canary-5e1f";
const marked = (name: string) => `${marker}-${name}`;

/** Done by Lambda with the function's role, before and after the function itself runs. */
const doneByLambda = [
  /^logs:/,
  /^sqs:(ChangeMessageVisibility|DeleteMessage|GetQueueAttributes|GetQueueUrl|ReceiveMessage) on /,
  /^sqs:SendMessage on CountingDeadLettersQueue$/,
  /^dynamodb:(DescribeStream|GetRecords|GetShardIterator|ListStreams) on CodesTable[./]/,
];

/** Rights that the tour does not use, and why they are needed all the same. One that it uses after all fails. */
const unprovoked: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  ErasingFunction: {
    "dynamodb:GetItem on CodesTable":
      "the intent of somebody who came again, into a cell that the erasure had been to, while it waited for its next round",
  },
};

let watched: WatchedService;
let tour: Tour;
beforeAll(async () => {
  watched = await startWatchedService();
  tour = await tourOf(watched, marked);
}, 1_200_000);
afterAll(() => watched?.close());

const grants = new Map(
  [...rightsByFunction(templateOf("prod"))].map(([name, rights]) => [
    name,
    rights.filter((right) => !doneByLambda.some((pattern) => pattern.test(right))),
  ]),
);
const covers = (grant: string, call: string) =>
  grant.endsWith("*") ? call.startsWith(grant.slice(0, -1)) : call === grant;
const callsOf = (name: string) => [...(watched.calls.get(name) ?? [])];

describe("the rights of each function, over the whole service", () => {
  it("are looked at for every function that there is", () => {
    const all = [...Object.keys(routes), ...Object.keys(jobs), ...Object.keys(workers)];

    expect(grants.size).toBe(all.length);
  });

  it.each([...grants.keys()])("cover whatever %s calls", (name) => {
    const rights = grants.get(name) ?? [];

    expect(callsOf(name).filter((call) => !rights.some((grant) => covers(grant, call)))).toEqual([]);
  });

  it.each([...grants.keys()])("hold nothing that %s does not call", (name) => {
    const unused = (grants.get(name) ?? []).filter(
      (grant) => !callsOf(name).some((call) => covers(grant, call)),
    );

    expect(unused).toEqual(Object.keys(unprovoked[name] ?? {}).sort());
  });
});

describe("a customer's id", () => {
  const filesBelow = (directory: string): readonly string[] =>
    readdirSync(directory, { recursive: true, encoding: "utf8" })
      .map((name) => join(directory, name))
      .filter((file) => statSync(file).isFile());
  const linesWithIt = (files: readonly string[]) =>
    files.flatMap((file) =>
      readFileSync(file, "utf8")
        .split("\n")
        .filter((line) => line.includes(marker))
        .map((line) => `${file}: ${line.slice(0, 500)}`),
    );

  it("was everywhere: in good calls, bad ones, and those that the service failed", () => {
    expect([...tour.statuses]).toEqual(
      expect.arrayContaining(
        [200, 201, 202, 400, 401, 404, 405, 409, 422, 500, 503].filter((status) => status !== 422),
      ),
    );
    expect(tour.problems.length).toBeGreaterThan(50);
  });

  it("is in no problem", () => {
    expect(tour.problems.filter((problem) => problem.includes(marker))).toEqual([]);
  });

  it("is in no log and no metric", () => {
    const logs = filesBelow(watched.service.logDirectory);

    expect(logs.length).toBeGreaterThan(20);
    expect(logs.map((file) => readFileSync(file, "utf8")).join("")).toContain('"Namespace":"Codewell"');
    expect(linesWithIt(logs)).toEqual([]);
  });

  it("is in no message of a queue", () => {
    const journals = filesBelow(join(watched.directory, "queues"));

    expect(journals.map((file) => readFileSync(file, "utf8")).join("")).toContain("exp_");
    expect(linesWithIt(journals)).toEqual([]);
  });

  it("is in no event", () => {
    expect(
      linesWithIt(filesBelow(watched.directory).filter((file) => file.endsWith("events.jsonl"))),
    ).toEqual([]);
  });

  it("is in no key of an object", async () => {
    const { endpoint, region, accessKeyId, secretAccessKey, uploadsBucket, exportsBucket } =
      watched.service.endpoints.s3;
    const s3 = new S3Client({
      endpoint,
      region,
      forcePathStyle: true,
      credentials: { accessKeyId, secretAccessKey },
    });

    const listed = await Promise.all(
      [uploadsBucket, exportsBucket].map((Bucket) => s3.send(new ListObjectVersionsCommand({ Bucket }))),
    );

    const all = listed.flatMap(({ Versions = [] }) => Versions.map(({ Key }) => Key ?? ""));
    expect(all.length).toBeGreaterThan(10);
    expect(all.filter((key) => key.includes(marker))).toEqual([]);
    s3.destroy();
  });

  it("is in no entry of the audit trail", async () => {
    const seen: string[] = [];
    let cursor: string | undefined;
    do {
      const path = `/v1/audit?limit=200${cursor ? `&cursor=${encodeURIComponent(cursor)}` : ""}`;
      const { body } = await watched.client.call<{ items: object[]; nextCursor?: string }>("GET", path);
      seen.push(...body.items.map((entry) => JSON.stringify(entry)));
      cursor = body.nextCursor;
    } while (cursor);

    expect(seen.length).toBeGreaterThan(35);
    expect(seen.filter((entry) => entry.includes(marker))).toEqual([]);
  });
});
