import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { describe, expect, it } from "vitest";
import {
  licencesDocument,
  licencesOfDeployed,
  licencesOfTools,
  packagesOf,
} from "../../../commands/licences/licences-document.ts";
import packageJson from "../../../package.json" with { type: "json" };
import lockFile from "../../../package-lock.json" with { type: "json" };

const root = fileURLToPath(new URL("../../..", import.meta.url));
const packages = packagesOf(lockFile);
const deployed = packages.filter(({ isDeployed }) => isDeployed);
const idOf = ({ name, version }: { readonly name: string; readonly version: string }) => `${name}@${version}`;

const deployedIds = new Set(deployed.map(idOf));

interface Component {
  readonly name: string;
  readonly version: string;
  readonly hashes?: readonly { readonly alg: string }[];
  readonly licenses?: readonly object[];
  readonly properties: readonly { readonly name: string; readonly value: string }[];
}

describe("the packages of others", () => {
  it("have a licence that goes with ours, each of them", () => {
    const permitted = (licences: readonly string[]) => (each: { readonly licence: string }) =>
      licences.includes(each.licence);

    expect(deployed.filter((each) => !permitted(licencesOfDeployed)(each))).toEqual([]);
    expect(packages.filter((each) => !permitted(licencesOfTools)(each))).toEqual([]);
  });

  it("that are deployed are the dependencies and what they need, and no tool", () => {
    const names = deployed.map(({ name }) => name);

    expect(names).toEqual(expect.arrayContaining(Object.keys(packageJson.dependencies)));
    for (const tool of ["aws-cdk-lib", "vitest", "@dynoxide/linux-x64", "@extenddb/linux-x64"])
      expect(names).not.toContain(tool);
  });

  it('stand in docs/licences.md: run "npm run licences" and commit it', () => {
    expect(readFileSync(`${root}docs/licences.md`, "utf8")).toBe(licencesDocument(packages));
  });

  it("are in the bill of materials, with checksum and licence, and what is deployed is no tool there", async () => {
    const { stdout } = await promisify(execFile)("npm", ["run", "--silent", "sbom"], {
      cwd: root,
      maxBuffer: 100_000_000,
    });

    const { bomFormat, components } = JSON.parse(stdout) as { bomFormat: string; components: Component[] };
    const ofTools = components.filter(({ properties }) =>
      properties.some(({ name, value }) => name === "cdx:npm:package:development" && value === "true"),
    );
    expect(bomFormat).toBe("CycloneDX");
    expect(components.map(idOf).sort()).toEqual([...new Set(packages.map(idOf))].sort());
    expect(ofTools.map(idOf).filter((id) => deployedIds.has(id))).toEqual([]);
    const described = components.filter(({ hashes, licenses }) => hashes?.length && licenses?.length);
    expect([...deployedIds].filter((id) => !described.map(idOf).includes(id))).toEqual([]);
  });

  it("run no script of theirs when they are installed, and none that is deployed has one", () => {
    expect(readFileSync(`${root}.npmrc`, "utf8").split("\n")).toContain("ignore-scripts=true");
    // esbuild's script only makes its start quicker; its binary comes as a package of its own.
    expect(packages.filter(({ hasInstallScript }) => hasInstallScript).map(({ name }) => name)).toEqual([
      "esbuild",
    ]);
  });

  it("have exact versions and checksums, and none comes from an address of its own", () => {
    const versions = Object.values({
      ...packageJson.dependencies,
      ...packageJson.devDependencies,
      ...packageJson.optionalDependencies,
    });
    // Parts of another package's archive, which has one; and Biome for other machines, which our registry does not have.
    const bundledOrForeign =
      /^node_modules\/(aws-cdk-lib|@aws-cdk\/cloud-assembly-schema)\/node_modules\/|^node_modules\/@biomejs\/cli-/;
    const { "": _project, ...locked } = lockFile.packages as Record<
      string,
      { readonly resolved?: string; readonly integrity?: string }
    >;
    const unsure = Object.entries(locked).filter(
      ([path, { resolved, integrity }]) =>
        resolved !== undefined || !(integrity?.startsWith("sha512-") || bundledOrForeign.test(path)),
    );

    expect(versions.filter((version) => !/^\d+\.\d+\.\d+$/.test(version))).toEqual([]);
    // Without an address of its own each comes from whatever registry npm is set to, and must have this checksum.
    expect(unsure.map(([path]) => path)).toEqual([]);
  });
});
