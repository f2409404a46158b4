import { randomUUID } from "node:crypto";
import { createInterface } from "node:readline";
import type { Readable } from "node:stream";
import { GetObjectCommand, PutObjectCommand } from "@aws-sdk/client-s3";
import { ulid } from "ulid";
import type { Endpoints } from "../../local/local-service.ts";
import { ServiceClient } from "../../test/support/service-client.ts";
import type { AllocatedAudience, AudienceTask } from "../apart/audience.ts";
import { Apart, runApart } from "../lib/apart.ts";
import { type BenchBuckets, exportsBucket, startBenchBuckets, uploadsBucket } from "../lib/buckets.ts";
import { startBenchTable } from "../lib/engine.ts";
import { codeAt, indexOf } from "../lib/generated-codes.ts";
import { customerAt, indexOfCustomer, writeGivenPool } from "../lib/given-pool.ts";
import type { Measured } from "../lib/measure-task.ts";
import { poster } from "../overhead/post.ts";
import type { Figure, Outcome, Run, Scenario } from "../scenario.ts";

interface Options extends Readonly<Record<string, number>> {
  readonly customers: number;
  /** Codes of the large pool. The other one is for a tenth of the customers, and has none to spare. */
  readonly codes: number;
  /** Single calls over HTTP, for comparison. */
  readonly calls: number;
}

const singlesAtOnce = 16;

/** A whole audience at once, on a pool with plenty of codes and on one that just suffices, beside single calls. */
export const scenario: Scenario<Options> = {
  name: "audience",
  summary: "a code for every customer of a file, beside single calls over HTTP",
  defaults: {
    small: { customers: 6_000, codes: 60_000, calls: 200 },
    full: { customers: 1_000_000, codes: 10_000_000, calls: 3_000 },
  },
  run: async (run) => {
    const { customers, codes, calls } = run.options;
    const perSecond = await singleCallsPerSecond(calls, run.progress);
    const jobs: Job[] = [];
    // One after the other, each on an engine of its own: what is kept of the one is no burden to the other.
    const fewer = Math.ceil(customers / 10);
    jobs.push(await allocateTo(customers, codes, run.progress));
    jobs.push(await allocateTo(fewer, fewer, run.progress));
    return outcomeOf(run.options, jobs, perSecond);
  },
};

interface Job extends Measured<AllocatedAudience> {
  readonly codes: number;
  readonly customers: number;
  /** Customers without a code, with two or with another's, by the result. */
  readonly errors: number;
}

const allocateTo = async (
  customers: number,
  codes: number,
  progress: Run<Options>["progress"],
): Promise<Job> => {
  const table = await startBenchTable();
  const buckets = await startBenchBuckets();
  try {
    const what = `${customers.toLocaleString("en")} customers, ${codes.toLocaleString("en")} codes`;
    const pool = await writeGivenPool({ codes, allocations: 0 }, (done) =>
      progress(`${what}: write the pool`, done),
    );
    const { audiences } = await import("../../shared/storage/audiences.ts");
    const audienceId = `aud_${ulid()}`;
    const objectKey = `audience-uploads/${pool.promocodeId}/${audienceId}.csv`;
    await buckets.client.send(
      new PutObjectCommand({ Bucket: uploadsBucket, Key: objectKey, Body: audienceFile(customers) }),
    );
    await audiences.create({
      audienceId,
      promocodeId: pool.promocodeId,
      promotionId: pool.promotionId,
      fileName: "audience.csv",
      source: "upload",
      mode: "allocate",
      occurenceId: "send-2026-11-23",
      seriesId: "autumn",
      actionId: null,
      objectKey,
      versionId: null,
      createdAt: new Date().toISOString(),
    });
    const now = new Date();
    const watch = setInterval(async () => {
      const counts = (await audiences.find(audienceId, now))?.counts;
      if (counts) progress(`${what}: allocate`, (counts.pool + counts.default) / customers);
    }, 1_000);
    const task: AudienceTask = { audienceId };
    const measured = await runApart<AllocatedAudience>("audience", task).finally(() => clearInterval(watch));

    progress(`${what}: check of every row`);
    const { result, counts } = await audiences.get(audienceId, now);
    if (!result || counts.pool !== customers)
      throw new Error(`The job gave ${counts.pool} codes to ${customers} customers.`);
    const errors = await errorsIn(buckets, result.objectKey, customers);
    return { ...measured, customers, codes, errors };
  } finally {
    await buckets.close();
    await table.close();
  }
};

/** The customers in no order that would help, as a CRM exports them, every hundredth of them twice. */
const audienceFile = (customers: number): Buffer => {
  const lines = ["customerId"];
  const step = 7_919;
  for (let row = 0; row < customers; row++) {
    const customer = customers % step === 0 ? row : (row * step) % customers;
    lines.push(customerAt(customer));
    if (row % 100 === 0) lines.push(customerAt(customer));
  }
  return Buffer.from(`${lines.join("\n")}\n`);
};

const errorsIn = async ({ client }: BenchBuckets, objectKey: string, customers: number): Promise<number> => {
  const { Body } = await client.send(new GetObjectCommand({ Bucket: exportsBucket, Key: objectKey }));
  const seen = new Uint8Array(customers);
  const codes = new Set<number>();
  let right = 0;
  let rows = -1;
  for await (const line of createInterface({ input: Body as Readable })) {
    rows += 1;
    if (rows === 0) continue;
    const cells = line.split(",");
    const customer = indexOfCustomer(cells[0] ?? "");
    const code = indexOf(cells[4] ?? "");
    if (seen[customer] !== 0 || code === undefined || codes.has(code) || cells[9] !== "pool") continue;
    seen[customer] = 1;
    codes.add(code);
    right += 1;
  }
  return Math.max(customers, rows) - right;
};

/** What a caller gets who asks for one customer after the other, 16 at once, of the service as `npm start` runs it. */
const singleCallsPerSecond = async (calls: number, progress: Run<Options>["progress"]): Promise<number> => {
  progress("starting the service");
  const service = new Apart("service");
  try {
    const endpoints = (await service.next()) as Endpoints;
    const client = new ServiceClient(endpoints);
    const { promocodeId } = await client.promocode();
    const codes = Array.from({ length: 4 * calls }, (_, index) => codeAt(index));
    await client.upload(promocodeId, `code\n${codes.join("\n")}\n`);
    await client.loadedFiles(promocodeId, 1);
    const post = poster(endpoints.apiUrl, {
      "X-API-KEY": endpoints.apiKey,
      "Content-Type": "application/json",
    });
    const allocate = async () => {
      const body = JSON.stringify({ customerId: randomUUID(), occurenceId: "send-2026-11-23" });
      const { status } = await post(`/v1/promocodes/${promocodeId}/allocations`, body);
      if (status !== 201) throw new Error(`A single call was answered ${status}.`);
    };
    const takeTurns = (count: number) => {
      let begun = 0;
      const caller = async () => {
        for (; begun < count; ) {
          begun += 1;
          await allocate();
        }
      };
      return Promise.all(Array.from({ length: singlesAtOnce }, caller));
    };
    progress("single calls, warming up");
    await takeTurns(Math.ceil(calls / 4));
    progress("single calls");
    const begunAt = performance.now();
    await takeTurns(calls);
    return calls / ((performance.now() - begunAt) / 1_000);
  } finally {
    await service.close();
  }
};

const outcomeOf = (
  { customers, codes }: Options,
  jobs: readonly Job[],
  singlesPerSecond: number,
): Outcome => {
  const [ample, tight] = jobs;
  if (!ample || !tight) throw new Error("a job is missing");
  const perSecond = (job: Job) => job.customers / job.seconds;
  const inWords = (count: number) => count.toLocaleString("en");
  const figures: Figure[] = [
    {
      name: `write units per customer, ${codes / customers} codes for each`,
      value: ample.answer.writeUnits / customers,
      unit: "write units",
      target: { atMost: 0.6 },
      kind: "exact",
      note: `${inWords(customers)} customers on a pool of ${inWords(codes)}; records, checkpoints and refused writes included`,
    },
    {
      name: "write units per customer, one code for each",
      value: tight.answer.writeUnits / tight.customers,
      unit: "write units",
      kind: "exact",
      note: `${inWords(tight.customers)} customers, down to the last code of the pool`,
    },
    {
      name: "customers without a code, with two or with another's",
      value: ample.errors + tight.errors,
      unit: "",
      target: { atMost: 0 },
      kind: "exact",
    },
    {
      name: "customers per second",
      value: perSecond(ample),
      unit: "customers/s",
      kind: "timed",
      note: "from reading the file to the finished result",
    },
    {
      name: "customers per second to single calls over HTTP",
      value: perSecond(ample) / singlesPerSecond,
      unit: "times",
      target: { atLeast: 20 },
      kind: "timed",
      note: `single calls, ${singlesAtOnce} at once: ${Math.round(singlesPerSecond)} per second`,
    },
    {
      name: "peak memory of the job",
      value: Math.max(...jobs.map(({ peakRssMb }) => peakRssMb)),
      unit: "MB",
      kind: "timed",
    },
  ];
  return {
    figures,
    tables: [
      {
        title: "A code for every customer of a file",
        columns: [
          "customers",
          "codes",
          "write units each",
          "read units each",
          "requests each",
          "refused writes",
          "seconds",
          "customers/s",
          "CPU s",
          "peak MB",
        ],
        rows: jobs.map((job) => {
          const { writeUnits, readUnits, writeCalls, readCalls, refused } = job.answer;
          const each = (amount: number) => Number((amount / job.customers).toFixed(3));
          return [
            job.customers,
            job.codes,
            each(writeUnits),
            each(readUnits),
            each(writeCalls + readCalls),
            refused,
            Number(job.seconds.toFixed(1)),
            Math.round(perSecond(job)),
            Number(job.cpuSeconds.toFixed(1)),
            Math.round(job.peakRssMb),
          ];
        }),
      },
    ],
  };
};
