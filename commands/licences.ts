import { writeFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import lockFile from "../package-lock.json" with { type: "json" };
import { licencesDocument, packagesOf } from "./licences/licences-document.ts";

/** npm run licences: writes docs/licences.md from package-lock.json. */
const file = fileURLToPath(new URL("../docs/licences.md", import.meta.url));
const packages = packagesOf(lockFile);
await writeFile(file, licencesDocument(packages));
console.log(`${file} lists ${packages.length} packages.`);
