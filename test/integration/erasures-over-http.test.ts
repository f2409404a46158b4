import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type LocalService, startLocalService } from "../../local/local-service.ts";
import type { Allocation, Code } from "../../shared/contract/allocations.ts";
import type { Erasure } from "../../shared/contract/erasures.ts";
import type { Promocode } from "../../shared/contract/promocodes.ts";
import { ServiceClient } from "../support/service-client.ts";

/** The built bundles, behind the gateway of the synthesized template, on the real engine: what a user has. */
describe("erasing a person, over HTTP", { timeout: 180_000 }, () => {
  let directory: string;
  let service: LocalService;
  let client: ServiceClient;
  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), "codewell-erasures-"));
    service = await startLocalService({ directory, port: 0 });
    client = new ServiceClient(service.endpoints);
  }, 120_000);
  afterAll(async () => {
    await service.close();
    await rm(directory, { recursive: true, force: true });
  });

  it("forgets them everywhere, keeps their codes used, and writes their id down nowhere", async () => {
    const customerId = "Zoë Q. / 100% forgettable";
    const inPath = encodeURIComponent(customerId);
    const dry = await client.promocode();
    const byDefault = await client.allocate(dry.promocodeId, { customerId });
    const varying = await client.promocode({ allocationMethod: "Varying" });
    const consistent = await client.promocode();
    // Three codes in one cell: whoever takes more of the second file needs an intent.
    for (const { promocodeId } of [varying, consistent]) {
      await client.upload(promocodeId, "A1\nA2\nA3\n");
      await client.loadedFiles(promocodeId, 1);
    }
    const given: Allocation[] = [];
    for (const occurenceId of ["a", "b", "c"])
      given.push((await client.allocate(varying.promocodeId, { customerId, occurenceId })).body);
    await client.upload(varying.promocodeId, "B1\nB2\nB3\n");
    await client.loadedFiles(varying.promocodeId, 2);
    given.push((await client.allocate(varying.promocodeId, { customerId, occurenceId: "d" })).body);
    given.push((await client.allocate(consistent.promocodeId, { customerId })).body);
    const other = (await client.allocate(varying.promocodeId, { customerId: "somebody else" })).body;
    expect([byDefault.body, ...given].map(({ source }) => source)).toEqual([
      "default",
      ...Array(5).fill("pool"),
    ]);
    const older = await client.exportOf(`/v1/promocodes/${varying.promocodeId}/exports`);
    expect(older.text.split(customerId)).toHaveLength(5);

    const asked = await client.call<Erasure>("DELETE", `/v1/customers/${inPath}`);
    expect(asked.status).toBe(202);
    const location = asked.headers.get("Location");
    expect(location).toBe(`/v1/erasures/${asked.body.erasureId}`);
    const erasure = await client.until<Erasure>(location!, ({ status }) => status === "succeeded", 120_000);

    expect(erasure.erased).toEqual({ codes: 5, intents: 1, defaultCodes: 1 });
    expect(JSON.stringify([asked.body, erasure])).not.toContain("forgettable");
    const holdings = await client.call<{ items: Allocation[] }>("GET", `/v1/customers/${inPath}/allocations`);
    expect(holdings.body.items).toEqual([]);
    for (const { promocodeId, uniqueCode, timestamp } of given) {
      const { body } = await client.call<Code>("GET", `/v1/promocodes/${promocodeId}/codes/${uniqueCode}`);
      expect(body).toMatchObject({ status: "allocated", allocation: { customerId: null, timestamp } });
    }
    const newer = await client.exportOf(`/v1/promocodes/${varying.promocodeId}/exports`);
    expect(newer.text).toBe(older.text.replaceAll(customerId, ""));
    expect(newer.text).toContain(`somebody else,${varying.promocodeId}`);
    expect(newer.text).toContain(other.uniqueCode);
    const { pool } = await client.until<Promocode>(
      `/v1/promocodes/${varying.promocodeId}`,
      (promocode) => promocode.pool?.allocated === 5,
    );
    expect(pool).toMatchObject({ total: 6, allocated: 5, available: 1 });

    const again = await client.allocate(consistent.promocodeId, { customerId });
    const andAgain = await client.allocate(consistent.promocodeId, { customerId });
    expect(again).toMatchObject({ status: 201, body: { source: "pool", repeated: false } });
    expect(again.body.uniqueCode).not.toBe(given.at(-1)?.uniqueCode);
    expect(andAgain.body).toEqual({ ...again.body, repeated: true });

    const written = await Promise.all(
      ["logs", "queues"].map((folder) => filesBelow(join(directory, folder))),
    );
    expect(written.flat().length).toBeGreaterThan(2);
    for (const file of written.flat()) {
      const text = await readFile(file, "utf8");
      expect(text.includes("forgettable"), file).toBe(false);
    }
  });

  it("takes any id, known or not, and is harmless when it is asked for twice", async () => {
    const [one, two] = [
      await client.call<Erasure>("DELETE", "/v1/customers/nobody"),
      await client.call<Erasure>("DELETE", "/v1/customers/nobody"),
    ];

    expect([one.status, two.status]).toEqual([202, 202]);
    for (const { body } of [one, two]) {
      const erasure = await client.until<Erasure>(
        `/v1/erasures/${body.erasureId}`,
        ({ status }) => status === "succeeded",
        120_000,
      );
      expect(erasure).toMatchObject({
        progress: { round: 2 },
        erased: { codes: 0, intents: 0, defaultCodes: 0 },
      });
    }
  });

  it.each([
    ["an id that no customer can have", "DELETE", `/v1/customers/${encodeURIComponent("a\u001fb")}`, 400],
    ["an id of 129 characters", "DELETE", `/v1/customers/${"x".repeat(129)}`, 400],
    ["an erasure that there is not", "GET", "/v1/erasures/era_01KA5SE6B2D4F6H8K0M2P4R6T8", 404],
    ["an id of something else", "GET", "/v1/erasures/exp_01KA5SE6B2D4F6H8K0M2P4R6T8", 400],
    ["another method", "PATCH", "/v1/customers/ada", 405],
  ])("refuses %s", async (_what, method, path, status) => {
    const { status: answered, body } = await client.call<{ status: number }>(method, path);

    expect(answered).toBe(status);
    expect(body.status).toBe(status);
  });
});

const filesBelow = async (folder: string): Promise<readonly string[]> => {
  const entries = await readdir(folder, { withFileTypes: true, recursive: true });
  return entries.filter((entry) => entry.isFile()).map(({ parentPath, name }) => join(parentPath, name));
};
