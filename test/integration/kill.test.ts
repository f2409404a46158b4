import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, readFileSync, rmSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { CodeFile } from "../../shared/contract/code-files.ts";
import type { Promocode } from "../../shared/contract/promocodes.ts";
import { customers, someCodes } from "../support/codes.ts";
import { inParallel } from "../support/in-parallel.ts";
import { ServiceClient } from "../support/service-client.ts";

/** Long enough for the lock of the load that was killed to run out, and for the load to be done again. */
const patienceMs = 150_000;

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
    const first = someCodes(1_000, "A");
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
    const allocating = inParallel(customers(900), async (customerId) => {
      if (codeByCustomer.size === 300) service.kill("SIGKILL");
      const reply = await before.allocate(promocodeId, { customerId }).catch(() => undefined);
      if (reply?.body.source === "pool") codeByCustomer.set(customerId, reply.body.uniqueCode);
    });
    await allocating;
    const answered = new Map(codeByCustomer);
    expect(answered.size).toBeGreaterThanOrEqual(300);
    expect(answered.size).toBeLessThan(900);

    const after = await start();
    const again = await inParallel(customers(900), (customerId) =>
      after.allocate(promocodeId, { customerId }),
    );
    const files = await after.loadedFiles(promocodeId, 2, patienceMs);
    const more = await inParallel(customers(300, "later"), (customerId) =>
      after.allocate(promocodeId, { customerId }),
    );

    for (const { body } of again)
      if (answered.has(body.customerId)) expect(body.uniqueCode).toBe(answered.get(body.customerId));
    const given = [...again, ...more].map(({ body }) => body);
    expect(given.every(({ source }) => source === "pool")).toBe(true);
    expect(new Set(given.map(({ uniqueCode }) => uniqueCode)).size).toBe(1_200);
    expect(files.find(({ source }) => source === "drop")).toMatchObject({
      status: "ready",
      codes: 60_000,
      duplicatesInPool: 0,
    });

    const { record, text } = await after.exportOf(`/v1/promocodes/${promocodeId}/exports`);
    const rows = text.trimEnd().split("\n").slice(1);
    expect(record.rows).toBe(1_200);
    expect(
      new Set(rows.map((row) => row.split(",").slice(0, 1).concat(row.split(",")[4]!).join(","))),
    ).toEqual(new Set(given.map(({ customerId, uniqueCode }) => `${customerId},${uniqueCode}`)));
    const counted = await after.until<Promocode>(
      `/v1/promocodes/${promocodeId}`,
      ({ pool }) => pool?.allocated === 1_200,
    );
    expect(counted.pool).toMatchObject({ total: 61_000, allocated: 1_200, available: 59_800 });
  });
});
