import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type LocalService, startLocalService } from "../../local/local-service.ts";
import type { Allocation } from "../../shared/contract/allocations.ts";
import { exportColumns } from "../../shared/contract/exports.ts";
import type { Problem } from "../../shared/contract/problems.ts";
import type { Promocode } from "../../shared/contract/promocodes.ts";
import type { Promotion } from "../../shared/contract/promotions.ts";
import { customers, someCodes } from "../support/codes.ts";
import { inParallel } from "../support/in-parallel.ts";
import { ServiceClient } from "../support/service-client.ts";

/** The built bundles, behind the gateway of the synthesized template, on the real engine: what a user has. */
describe("the main job, over HTTP", { timeout: 240_000 }, () => {
  let directory: string;
  let service: LocalService;
  let client: ServiceClient;
  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), "codewell-main-job-"));
    service = await startLocalService({ directory, port: 0 });
    client = new ServiceClient(service.endpoints);
  }, 120_000);
  afterAll(async () => {
    await service.close();
    await rm(directory, { recursive: true, force: true });
  });

  const csv = (codes: readonly string[]) => `code\n${codes.join("\n")}\n`;
  /** A file's row as the answer that it must equal. */
  const rowOf = ({ customerId, promocodeId, promotionId, fileId, uniqueCode, timestamp }: Allocation) =>
    [customerId, promocodeId, promotionId, fileId, uniqueCode, timestamp].join(",");

  describe.each(["Consistent", "Varying"] as const)("under %s", (allocationMethod) => {
    it("gives 3,000 codes to 3,600 customers, 64 at once, with a file published midway: each once", async () => {
      const { promocodeId } = await client.promocode({ allocationMethod });
      const [first, second] = [someCodes(2_000, "A"), someCodes(1_000, "B")];
      await client.upload(promocodeId, csv(first));
      await client.loadedFiles(promocodeId, 1);
      const wanted = customers(3_600);
      // Every tenth call is sent twice, as impatient callers do.
      const calls = wanted.flatMap((customerId, at) =>
        at % 10 === 0 ? [customerId, customerId] : [customerId],
      );
      const headers = { "Idempotency-Key": "the autumn send" };
      const ask = (customerId: string) => client.allocate(promocodeId, { customerId }, headers);
      const askAll = async (): Promise<Allocation[]> => {
        const chunks = [0, 1, 2, 3].map((at) => wanted.slice(at * 900, (at + 1) * 900));
        const replies = await inParallel(chunks, (chunk) =>
          client.call<{ results: Allocation[] }>(
            "POST",
            `/v1/promocodes/${promocodeId}/allocations/batch`,
            { allocations: chunk.map((customerId) => ({ customerId })) },
            headers,
          ),
        );
        return replies.flatMap(({ body }) => body.results);
      };

      let asked = 0;
      const answers = await inParallel(calls, (customerId) => {
        asked += 1;
        if (asked === 1_000) void client.drop(promocodeId, "second.csv", csv(second));
        return ask(customerId);
      });
      await client.loadedFiles(promocodeId, 2);
      const retries = await askAll();
      const again = await askAll();

      expect(answers.filter(({ status }) => status >= 300)).toEqual([]);
      const fromPool = ({ source }: Allocation) => source === "pool";
      const codeByCustomer = (allocations: readonly Allocation[]) =>
        new Map(allocations.filter(fromPool).map(({ customerId, uniqueCode }) => [customerId, uniqueCode]));
      const held = new Map<string, Set<string>>();
      for (const { customerId, uniqueCode } of [...answers.map(({ body }) => body), ...retries].filter(
        fromPool,
      ))
        held.set(customerId, (held.get(customerId) ?? new Set()).add(uniqueCode));
      expect([...held.values()].filter((codes) => codes.size > 1)).toEqual([]);
      expect([...held.values()].flatMap((codes) => [...codes]).sort()).toEqual([...first, ...second].sort());
      expect(retries.filter(({ source }) => source === "default")).toHaveLength(600);
      expect(codeByCustomer(again)).toEqual(codeByCustomer(retries));
      expect(again.filter(fromPool).every(({ repeated }) => repeated)).toBe(true);

      const { record, text } = await client.exportOf(`/v1/promocodes/${promocodeId}/exports`);
      const [header, ...rows] = text.trimEnd().split("\n");
      expect(header).toBe(exportColumns.join(","));
      expect(record.rows).toBe(3_000);
      expect(rows.sort()).toEqual(
        again
          .filter(fromPool)
          .map((allocation) => `${rowOf(allocation)},,,`)
          .sort(),
      );

      const { pool } = await client.until<Promocode>(
        `/v1/promocodes/${promocodeId}`,
        (promocode) => promocode.pool?.allocated === 3_000,
      );
      expect(pool).toMatchObject({ total: 3_000, allocated: 3_000, available: 0 });
    });
  });

  it("withdraws a file's free codes, and leaves who holds one with it", async () => {
    const { promocodeId } = await client.promocode();
    const fileId = await client.upload(promocodeId, csv(someCodes(100)));
    await client.loadedFiles(promocodeId, 1);
    const before = await client.allocate(promocodeId, { customerId: "early" });

    const withdrawn = await client.call("DELETE", `/v1/promocodes/${promocodeId}/files/${fileId}`);
    await client.until<{ status: string }>(
      `/v1/promocodes/${promocodeId}/files/${fileId}`,
      ({ status }) => status === "withdrawn",
    );
    const early = await client.allocate(promocodeId, { customerId: "early" });
    const late = await client.allocate(promocodeId, { customerId: "late" });
    const code = await client.call("GET", `/v1/promocodes/${promocodeId}/codes/${before.body.uniqueCode}`);
    const free = someCodes(100).find((each) => each !== before.body.uniqueCode);
    const other = await client.call("GET", `/v1/promocodes/${promocodeId}/codes/${free}`);

    expect(withdrawn.status).toBe(202);
    expect(early.body).toMatchObject({ uniqueCode: before.body.uniqueCode, repeated: true });
    expect(late.body).toMatchObject({ source: "default", uniqueCode: "DEFAULT" });
    expect(code.body).toMatchObject({ status: "allocated", allocation: { customerId: "early" } });
    expect(other.body).toMatchObject({ status: "withdrawn" });
  });

  it("tells what a customer holds, of one promocode and of all, page by page", async () => {
    const [one, other] = await Promise.all([
      client.promocode({ allocationMethod: "Varying" }),
      client.promocode(),
    ]);
    const customerId = "Zoë / 100% +1";
    const triggers = Array.from({ length: 5 }, (_, at) => `send-${at}`);
    const empty = await client.allocate(other.promocodeId, { customerId, actionId: "too early" });
    for (const { promocodeId } of [one, other]) {
      await client.upload(promocodeId, csv(someCodes(50)));
      await client.loadedFiles(promocodeId, 1);
    }
    const varying = await inParallel(triggers, (occurenceId) =>
      client.allocate(one.promocodeId, { customerId, occurenceId }),
    );
    const consistent = await client.allocate(other.promocodeId, { customerId });

    const path = `/v1/promocodes/${one.promocodeId}/allocations?customerId=${encodeURIComponent(customerId)}`;
    const held: Allocation[] = [];
    let cursor: string | undefined;
    do {
      const page = await client.call<{ items: Allocation[]; nextCursor?: string }>(
        "GET",
        `${path}&limit=2${cursor ? `&cursor=${cursor}` : ""}`,
      );
      expect(page.body.items.length).toBeLessThanOrEqual(2);
      held.push(...page.body.items);
      cursor = page.body.nextCursor;
    } while (cursor);
    const all: Allocation[] = [];
    do {
      const page = await client.call<{ items: Allocation[]; nextCursor?: string }>(
        "GET",
        `/v1/customers/${encodeURIComponent(customerId)}/allocations?limit=3${cursor ? `&cursor=${cursor}` : ""}`,
      );
      all.push(...page.body.items);
      cursor = page.body.nextCursor;
    } while (cursor);

    const codesOf = (allocations: readonly Allocation[]) =>
      allocations.map(({ uniqueCode }) => uniqueCode).sort();
    expect(codesOf(held)).toEqual(codesOf(varying.map(({ body }) => body)));
    expect(new Set(held.map(({ occurenceId }) => occurenceId))).toEqual(new Set(triggers));
    expect(codesOf(all)).toEqual(codesOf([...varying.map(({ body }) => body), empty.body, consistent.body]));
    expect(all.find(({ source }) => source === "default")).toMatchObject({
      actionId: "too early",
      fileId: null,
    });
  });

  it("allocates a batch entry by entry: new, repeated, and refused when the pool is dry and set to refuse", async () => {
    const { promocodeId } = await client.promocode({ onExhausted: "refuse" });
    await client.upload(promocodeId, csv(someCodes(3)));
    await client.loadedFiles(promocodeId, 1);
    const known = await client.allocate(promocodeId, { customerId: "b" });

    const { status, body } = await client.call<{
      results: (Allocation & { problem?: { code: string } })[];
      summary: unknown;
    }>("POST", `/v1/promocodes/${promocodeId}/allocations/batch`, {
      allocations: ["a", "b", "c", "d", "a"].map((customerId) => ({ customerId })),
    });

    expect(status).toBe(200);
    expect(body.results.map(({ customerId }) => customerId)).toEqual(["a", "b", "c", "d", "a"]);
    expect(body.results[1]).toMatchObject({ repeated: true, uniqueCode: known.body.uniqueCode });
    expect(body.results[4]?.uniqueCode).toBe(body.results[0]?.uniqueCode);
    const refused = body.results.filter(({ problem }) => problem);
    expect(refused.every(({ problem }) => problem?.code === "pool-exhausted")).toBe(true);
    const given = new Set(body.results.map(({ uniqueCode }) => uniqueCode).filter(Boolean));
    expect(given.size).toBe(3);
  });

  it("says what is wrong with an empty upload on the file's record", async () => {
    const { promocodeId } = await client.promocode();
    await client.upload(promocodeId, "");

    const [file] = await client.loadedFiles(promocodeId, 1);

    expect(file).toMatchObject({ status: "failed", failure: { code: "empty-file" }, codes: 0 });
  });

  it("answers a retried trigger alike while the pool is dry, and counts it once", async () => {
    const { promocodeId } = await client.promocode();
    const retry = () =>
      client.allocate(promocodeId, { customerId: "a", occurenceId: "send" }, { "Idempotency-Key": "1" });

    const [first, again, other] = [
      await retry(),
      await retry(),
      await client.allocate(promocodeId, { customerId: "a" }),
    ];
    const { pool } = await client.until<Promocode>(
      `/v1/promocodes/${promocodeId}`,
      (promocode) => (promocode.pool?.defaultsGiven ?? 0) >= 2,
    );

    expect([first.status, again.status, other.status]).toEqual([201, 200, 201]);
    expect(again.body).toEqual({ ...first.body, repeated: true });
    expect(again.headers.get("Idempotent-Replayed")).toBe("true");
    expect(pool?.defaultsGiven).toBe(2);
  });

  it.each([
    ["a lone surrogate in a name", { name: "\ud800" }, "/name"],
    ["a control character in a name", { name: "a\u0000b" }, "/name"],
    ["a lone surrogate in metadata", { name: "n", metadata: { a: "\udfff" } }, "/metadata/a"],
    [
      "metadata that is too large",
      {
        name: "n",
        metadata: {
          a: "x".repeat(900),
          b: "x".repeat(900),
          c: "x".repeat(900),
          d: "x".repeat(900),
          e: "x".repeat(900),
        },
      },
      "/metadata",
    ],
  ])("refuses %s, and says where it is", async (_what, body, pointer) => {
    const { status, body: problem } = await client.call<Problem>("POST", "/v1/promotions", body);

    expect(status).toBe(400);
    expect(problem.code).toBe("invalid-request");
    expect(problem.errors?.map((error) => error.pointer)).toContain(pointer);
  });

  it("refuses bytes that are no UTF-8, which would make two customers one", async () => {
    const { promocodeId } = await client.promocode();
    const response = await fetch(`${service.endpoints.apiUrl}/v1/promocodes/${promocodeId}/allocations`, {
      method: "POST",
      headers: { "X-API-KEY": service.endpoints.apiKey, "Content-Type": "application/json" },
      body: Buffer.from('{"customerId":"z\xff"}', "latin1"),
    });

    expect(response.status).toBe(400);
    expect(await response.json()).toMatchObject({ code: "malformed-json" });
  });

  it("names the header when an Idempotency-Key is not valid", async () => {
    const { body } = await client.call<Problem>(
      "POST",
      "/v1/promotions",
      { name: "n" },
      { "Idempotency-Key": "k".repeat(129) },
    );

    expect(body).toMatchObject({ code: "invalid-request", errors: [{ pointer: "Idempotency-Key" }] });
  });

  it("keeps metadata as it is given, whatever its keys are called", async () => {
    const metadata = { constructor: "v", toString: "w", ключ: "x" };
    const { status, body } = await client.call<Promotion>("POST", "/v1/promotions", { name: "n", metadata });
    const read = await client.call<Promotion>("GET", `/v1/promotions/${body.promotionId}`);

    expect(status).toBe(201);
    expect({ ...read.body.metadata }).toEqual(metadata);
  });

  it("takes global codes for the same that differ in case alone", async () => {
    const { promotionId } = await client.promocode();
    const create = (code: string) =>
      client.call<Problem>("POST", "/v1/promocodes", { promotionId, type: "global", code });

    const answers = [await create("Straße"), await create("STRASSE"), await create("σσ"), await create("Σς")];

    expect(answers.map(({ status }) => status)).toEqual([201, 409, 201, 409]);
  });

  it("refuses to allocate from the moment on that a promotion was deactivated", async () => {
    const { promocodeId, promotionId } = await client.promocode();
    const active = await client.allocate(promocodeId, { customerId: "a" });
    await client.call("PATCH", `/v1/promotions/${promotionId}/deactivate`);

    const refused = await client.allocate(promocodeId, { customerId: "a" });

    expect(active.status).toBe(201);
    expect(refused.status).toBe(409);
    expect(refused.body).toMatchObject({ code: "promotion-not-active" });
    expect(refused.headers.get("content-type")).toBe("application/problem+json");
  });
});
