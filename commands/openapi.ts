import { readFile, writeFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import packageJson from "../package.json" with { type: "json" };
import { openApiDocument } from "./openapi-document.ts";

/** npm run openapi [-- --check]: writes openapi.json from the routes, or says whether it is up to date. */
const file = fileURLToPath(new URL("../openapi.json", import.meta.url));
const wanted = `${JSON.stringify(openApiDocument(packageJson.version), null, 2)}\n`;

if (process.argv.includes("--check")) {
  const present = await readFile(file, "utf8").catch(() => "");
  if (present !== wanted) {
    console.error('openapi.json differs from the routes. Run "npm run openapi" and commit the file.');
    process.exitCode = 1;
  }
} else {
  await writeFile(file, wanted);
  console.log(`${file} describes ${wanted.length} characters of API.`);
}
