import { execFile } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { DynamoDbEngine } from "../../local/dynamodb/engine.ts";
import { customers, someCodes } from "../support/codes.ts";
import { engines } from "../support/engines.ts";
import { createTable } from "../support/table.ts";

const project = fileURLToPath(new URL("../..", import.meta.url));
const tsx = createRequire(import.meta.url).resolve("tsx/cli");

interface Ended {
  readonly code: number;
  readonly out: string;
  readonly trouble: string;
}

const loadModules = async () => ({
  ...(await import("@aws-sdk/lib-dynamodb")),
  ...(await import("../support/pool.ts")),
  ...(await import("../../shared/allocation/allocate-codes.ts")),
  ...(await import("../../shared/storage/audit-page.ts")),
  ...(await import("../../shared/storage/client.ts")),
  ...(await import("../../shared/storage/code-files.ts")),
  ...(await import("../../shared/storage/counts.ts")),
  ...(await import("../../shared/storage/promocodes.ts")),
  ...(await import("../../shared/storage/table.ts")),
});

describe("an operator's command, run as a process", () => {
  let engine: DynamoDbEngine;
  let directory: string;
  let service: Awaited<ReturnType<typeof loadModules>>;
  beforeAll(async () => {
    engine = await engines[0]!.start();
    const tableName = await createTable(engine);
    service = await loadModules();
    directory = mkdtempSync(join(tmpdir(), "operator-"));
    const { endpoint, region, credentials } = engine;
    writeFileSync(
      join(directory, "endpoints.json"),
      JSON.stringify({ dynamodb: { endpoint, region, ...credentials, tableName } }),
    );
  });
  afterAll(async () => {
    await engine.close();
    rmSync(directory, { recursive: true });
  });

  const run = (command: string, ...given: string[]): Promise<Ended> =>
    new Promise((resolve) => {
      const script = join(project, "commands", `${command}.ts`);
      execFile(process.execPath, [tsx, script, ...given], { cwd: project }, (error, out, trouble) =>
        resolve({ code: typeof error?.code === "number" ? error.code : 0, out, trouble }),
      );
    });
  const here = () => ["--directory", directory];

  /** 30 codes, 12 of them given out and counted. */
  const aPool = async (): Promise<{ promocodeId: string; fileId: string }> => {
    const { promocodeId } = await service.publish(await service.aPromocode(), someCodes(30));
    for (const customerId of customers(12))
      await service.allocateCode(
        await service.promocodes.get(promocodeId),
        { customerId },
        { idempotencyKey: undefined, now: new Date() },
      );
    const [file] = await service.codeFiles.all(promocodeId);
    const fileId = file!.fileId;
    await count(promocodeId, fileId, 12);
    return { promocodeId, fileId };
  };
  const count = (promocodeId: string, fileId: string, delta: number) =>
    service.addToCount(
      {
        promocodeId,
        fileId,
        streamShardId: `shard ${Math.random()}`,
        changes: [{ sequenceNumber: "1", delta }],
      },
      new Date(),
    );

  it("verifies: 0 for a pool in order, 1 for one that is not", async () => {
    const { promocodeId, fileId } = await aPool();

    const inOrder = await run("verify", "--promocode", promocodeId, ...here());
    await count(promocodeId, fileId, 5);
    const broken = await run("verify", "--promocode", promocodeId, ...here());
    const forScripts = await run("verify", "--promocode", promocodeId, "--json", ...here());

    expect(inOrder).toMatchObject({ code: 0, trouble: "" });
    expect(inOrder.out).toContain("Reads every cell, changes nothing.");
    expect(inOrder.out).toContain("30 codes: 12 allocated, 18 free, 0 withdrawn");
    expect(inOrder.out).toContain("All is well: 30 codes, 12 allocated, each at most once.");
    expect(broken.code).toBe(1);
    expect(broken.out).toContain("FOUND count-too-high");
    expect(broken.out).toContain("When verify finds something");
    expect(forScripts.code).toBe(1);
    expect(JSON.parse(forScripts.out)).toMatchObject([
      { promocodeId, findings: [{ rule: "count-too-high" }] },
    ]);
  });

  it("recounts: shows what is wrong, and puts it right on record when told to", async () => {
    const { promocodeId, fileId } = await aPool();
    await count(promocodeId, fileId, -4);
    const given = ["--promocode", promocodeId, "--quiet", "1s", ...here()];

    const shown = await run("recount", ...given);
    const corrected = await run("recount", "--yes", ...given);
    const after = await run("recount", ...given);

    expect(shown.code).toBe(1);
    expect(shown.out).toMatch(/ 8 +12 +wrong: --yes puts it right/);
    expect(corrected.code).toBe(0);
    expect(corrected.out).toMatch(/ 8 +12 +was wrong, is put right/);
    expect(after).toMatchObject({ code: 0, trouble: "" });
    expect(after.out).toContain("2 of 2 counts agree.");
    const { items } = await service.auditPage({ limit: 10, targetId: promocodeId }, new Date());
    expect(items).toMatchObject([
      {
        action: "counts.recount",
        outcome: "done",
        targets: { promocodeId, fileId },
        fields: { counted: 8, held: 12 },
      },
    ]);
  });

  it("seals: 1 while there is something to seal, 0 when it is done, and says so in the audit trail", async () => {
    const { promocodeId, fileId } = await aPool();
    const given = ["--promocode", promocodeId, ...here()];

    const shown = await run("seal-after-restore", ...given);
    const sealed = await run("seal-after-restore", "--yes", ...given);

    expect(shown.code).toBe(1);
    expect(shown.out).toContain("Changes nothing; --yes seals.");
    expect(sealed.code).toBe(0);
    expect(sealed.out).toContain("Sealed.");
    expect(await service.codeFiles.get({ promocodeId, fileId })).toMatchObject({ status: "withdrawn" });
    const { items } = await service.auditPage({ limit: 10, targetId: promocodeId }, new Date());
    expect(items).toMatchObject([{ action: "code-file.withdraw", outcome: "done" }]);
  });

  it.each([
    ["verify", ["--promocode", "a b"], 2, "GET /v1/promocodes"],
    ["verify", ["--directory", "/nowhere"], 2, "npm start"],
    ["verify", ["--promocode", "pcd_none"], 1, "pcd_none"],
    ["recount", ["--quiet", "soon"], 2, "--quiet"],
    ["redrive", ["--queue", "letters"], 2, "Queues: code-files"],
    ["redrive", [], 2, "npm start"],
    ["seal-after-restore", ["--promocode", "pcd_none"], 1, "pcd_none"],
  ] as const)("%s %j ends with a sentence that says what to do", async (command, given, code, sentence) => {
    const place = (given as readonly string[]).includes("--directory") ? [] : here();

    const ended = await run(command, ...given, ...place);

    expect(ended.code).toBe(code);
    expect(ended.trouble).toContain(sentence);
    expect(ended.trouble).not.toContain("    at ");
  });

  it.each(["verify", "recount", "redrive", "seal-after-restore"])(
    "%s --help explains itself",
    async (command) => {
      const { code, out } = await run(command, "--help");

      expect(code).toBe(0);
      expect(out).toContain(`npm run ${command}`);
      expect(out).toContain("--stage");
    },
  );
});
