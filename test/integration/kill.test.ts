import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, readFileSync, rmSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { DynamoDBClient } from "@aws-sdk/client-dynamodb";
import { DynamoDBDocumentClient, UpdateCommand } from "@aws-sdk/lib-dynamodb";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { CodeFile } from "../../shared/contract/code-files.ts";
import type { Promocode } from "../../shared/contract/promocodes.ts";
import { keys } from "../../shared/storage/table.ts";
import { customers, someCodes } from "../support/codes.ts";
import { inParallel } from "../support/in-parallel.ts";
import { ServiceClient } from "../support/service-client.ts";

/** Long enough for the load to be done again on a busy machine. */
const patienceMs = 150_000;

/** What a minute brings about: the lock of a load that was killed has run out. */
const letLockRunOut = async ({ endpoints }: ServiceClient, promocodeId: string): Promise<void> => {
  const { tableName, accessKeyId, secretAccessKey, ...where } = endpoints.dynamodb;
  const client = new DynamoDBClient({ ...where, credentials: { accessKeyId, secretAccessKey } });
  await DynamoDBDocumentClient.from(client).send(
    new UpdateCommand({
      TableName: tableName,
      Key: keys.loadLock(promocodeId),
      UpdateExpression: "SET deadline = :past",
      ConditionExpression: "attribute_exists(deadline)",
      ExpressionAttributeValues: { ":past": Date.now() - 1 },
    }),
  );
  client.destroy();
};

describe("the service, killed with kill -9 while it loads and allocates", { timeout: 300_000 }, () => {
  let directory: string;
  let service: ChildProcess;
  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), "codewell-kill-"));
  });
  afterAll(async () => {
    service.kill("SIGKILL");
    await rm(directory, { recursive: true, force: true });
  });

  const start = async (): Promise<ServiceClient> => {
    const endpoints = join(directory, "endpoints.json");
    rmSync(endpoints, { force: true });
    service = spawn(
      process.execPath,
      ["--import", "tsx", "local/start.ts", "--directory", directory, "--port", "0"],
      { stdio: "ignore" },
    );
    for (let waited = 0; !existsSync(endpoints); waited += 100) {
      if (waited > 90_000 || service.exitCode !== null) throw new Error("the service did not start");
      await sleep(100);
    }
    return new ServiceClient(JSON.parse(readFileSync(endpoints, "utf8")));
  };
  const csv = (codes: readonly string[]) => codes.join("\n");

  it("loses no code and gives none twice", async () => {
    const first = someCodes(600, "A");
    const second = someCodes(60_000, "B");
    const before = await start();
    const { promocodeId } = await before.promocode();
    await before.upload(promocodeId, csv(first));
    await before.loadedFiles(promocodeId, 1);
    await before.drop(promocodeId, "second.csv", csv(second));
    await before.until<{ items: readonly CodeFile[] }>(`/v1/promocodes/${promocodeId}/files`, ({ items }) =>
      items.some(({ status }) => status === "loading"),
    );

    const codeByCustomer = new Map<string, string>();
    const allocating = inParallel(customers(500), async (customerId) => {
      if (codeByCustomer.size >= 150) service.kill("SIGKILL");
      const reply = await before.allocate(promocodeId, { customerId }).catch(() => undefined);
      if (reply?.body.source === "pool") codeByCustomer.set(customerId, reply.body.uniqueCode);
    });
    await allocating;
    const answered = new Map(codeByCustomer);
    expect(answered.size).toBeGreaterThanOrEqual(150);
    expect(answered.size).toBeLessThan(500);

    const after = await start();
    await letLockRunOut(after, promocodeId);
    const again = await inParallel(customers(500), (customerId) =>
      after.allocate(promocodeId, { customerId }),
    );
    const files = await after.loadedFiles(promocodeId, 2, patienceMs);
    const more = await inParallel(customers(200, "later"), (customerId) =>
      after.allocate(promocodeId, { customerId }),
    );

    for (const { body } of again)
      if (answered.has(body.customerId)) expect(body.uniqueCode).toBe(answered.get(body.customerId));
    const given = [...again, ...more].map(({ body }) => body);
    expect(given.filter(({ source }) => source !== "pool")).toEqual([]);
    expect(new Set(given.map(({ uniqueCode }) => uniqueCode)).size).toBe(700);
    expect(files.find(({ source }) => source === "drop")).toMatchObject({
      status: "ready",
      codes: 60_000,
      duplicatesInPool: 0,
    });

    const { record, text } = await after.exportOf(`/v1/promocodes/${promocodeId}/exports`);
    const rows = text.trimEnd().split("\n").slice(1);
    expect(record.rows).toBe(700);
    expect(
      new Set(rows.map((row) => row.split(",").slice(0, 1).concat(row.split(",")[4]!).join(","))),
    ).toEqual(new Set(given.map(({ customerId, uniqueCode }) => `${customerId},${uniqueCode}`)));
    const counted = await after.until<Promocode>(
      `/v1/promocodes/${promocodeId}`,
      ({ pool }) => pool?.allocated === 700,
    );
    expect(counted.pool).toMatchObject({ total: 60_600, allocated: 700, available: 59_900 });
  });
});
