import * as z from "zod";

/** Licences that go with Apache-2.0 in what is deployed: none asks for more than its notice. */
export const licencesOfDeployed: readonly string[] = [
  "0BSD",
  "Apache-2.0",
  "BSD-2-Clause",
  "BSD-3-Clause",
  "ISC",
  "MIT",
  "MIT-0",
];

/** Those of tools too: they run here and are handed to nobody. MPL-2.0 asks only who changes its own files. */
export const licencesOfTools: readonly string[] = [
  ...licencesOfDeployed,
  "(MIT OR Apache-2.0)",
  "(MIT OR GPL-3.0-or-later)",
  "BlueOak-1.0.0",
  "MIT OR Apache-2.0",
  "MPL-2.0",
];

const lockSchema = z.object({
  packages: z.record(
    z.string(),
    z.object({
      version: z.string().default(""),
      license: z.string().default("none is named"),
      dev: z.boolean().default(false),
      optional: z.boolean().default(false),
      devOptional: z.boolean().default(false),
      hasInstallScript: z.boolean().default(false),
    }),
  ),
});

export interface InstalledPackage {
  readonly name: string;
  readonly version: string;
  readonly licence: string;
  /** True: functions may be built of it, so it can end up in somebody's AWS account. */
  readonly isDeployed: boolean;
  readonly hasInstallScript: boolean;
}

/** Every package that `npm ci` installs, by its name and version. */
export const packagesOf = (lockFile: unknown): readonly InstalledPackage[] => {
  const { "": _project, ...packages } = lockSchema.parse(lockFile).packages;
  const installed = Object.entries(packages).map(([path, entry]) => ({
    name: path.slice(path.lastIndexOf("node_modules/") + "node_modules/".length),
    version: entry.version,
    licence: entry.license,
    isDeployed: !entry.dev && !entry.optional && !entry.devOptional,
    hasInstallScript: entry.hasInstallScript,
  }));
  return installed.sort((one, other) => (rankOf(one) < rankOf(other) ? -1 : 1));
};

const rankOf = ({ name, version }: InstalledPackage): string => `${name} ${version}`;

/** docs/licences.md. */
export const licencesDocument = (packages: readonly InstalledPackage[]): string => {
  const deployed = packages.filter(({ isDeployed }) => isDeployed);
  const tools = packages.filter(({ isDeployed }) => !isDeployed);
  return `# Licences

Codewell is licensed under [Apache-2.0](../LICENSE). This page lists what others wrote; \`npm run licences\` writes it from
\`package-lock.json\`. A test holds that it is up to date and that every licence is on the list in
[licences-document.ts](../commands/licences/licences-document.ts). The same as a software bill of materials, in
CycloneDX's format and with checksums: \`npm run --silent sbom > sbom.json\`.

## Deployed

The functions are built of these ${deployed.length} packages; nothing else gets into an AWS account.

| package | version | licence |
| --- | --- | --- |
${deployed.map(({ name, version, licence }) => `| ${name} | ${version} | ${licence} |`).join("\n")}

## Only on the machine that builds, tests and deploys

${tools.length} packages.

| licence | packages |
| --- | --- |
${byLicence(tools)}
`;
};

const byLicence = (packages: readonly InstalledPackage[]): string =>
  [...new Set(packages.map(({ licence }) => licence))]
    .sort()
    .map((licence) => {
      const names = packages.filter((each) => each.licence === licence).map(({ name }) => name);
      return `| ${licence} | ${[...new Set(names)].join(", ")} |`;
    })
    .join("\n");
