import { mkdir, mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { bundleBudgetBytes, bundleSizes, overBudget } from "../../infra/budget.ts";
import { buildFunctions } from "../../infra/build.ts";
import { functionFolders } from "../../infra/function-folders.ts";
import { loadProblem, loadProblems } from "../../infra/smoke.ts";

let directory: string;
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "codewell-build-"));
});
afterAll(() => rm(directory, { recursive: true, force: true }));

describe("the folders of functions/", () => {
  it("are those that the stack deploys, no more and no less", async () => {
    const functions = fileURLToPath(new URL("../../functions", import.meta.url));

    expect((await readdir(functions)).sort()).toEqual(functionFolders);
  });
});

describe("the built functions", () => {
  let built: string;
  beforeAll(async () => {
    built = join(directory, "built");
    await buildFunctions(built);
  }, 60_000);

  it("load on their own, far from node_modules, each with a handler", { timeout: 60_000 }, async () => {
    expect(await loadProblems(join(built, "functions"))).toEqual([]);
  });

  it("are within their budget", () => {
    expect(overBudget(bundleSizes(join(built, "functions")))).toEqual([]);
  });
});

describe("the smoke", () => {
  const problemOf = async (code: string) => {
    const folder = await mkdtemp(join(directory, "bundle-"));
    await writeFile(join(folder, "handler.mjs"), code);
    return loadProblem(join(folder, "handler.mjs"));
  };

  it("passes a bundle with a handler", async () => {
    expect(await problemOf("export const handler = async () => 1;")).toBeNull();
  });

  it("names what is wrong with one that cannot load", async () => {
    expect(await problemOf('import "zod"; export const handler = async () => 1;')).toContain("zod");
    expect(await problemOf("export const main = async () => 1;")).toBe("exports no function `handler`");
    expect(await problemOf("process.exit(3);")).toBe("ended with code 3 before it was loaded");
  });
});

describe("the budget", () => {
  it("names the bundle that is too large", async () => {
    const bundles = join(directory, "sizes");
    for (const [folder, bytes] of [
      ["small", 10],
      ["large", bundleBudgetBytes + 1],
    ] as const) {
      await mkdir(join(bundles, folder), { recursive: true });
      await writeFile(join(bundles, folder, "handler.mjs"), "x".repeat(bytes));
    }

    expect(overBudget(bundleSizes(bundles))).toEqual(["large has 1501 kB, the budget is 1500 kB"]);
  });
});
