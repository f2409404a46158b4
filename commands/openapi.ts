import { readFile, writeFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import packageJson from "../package.json" with { type: "json" };
import { withEventsReference } from "./events-reference.ts";
import { openApiDocument } from "./openapi-document.ts";

/** npm run openapi [-- --check]: writes what is made of the contract, or says whether it is up to date. */
const place = (path: string): string => fileURLToPath(new URL(`../${path}`, import.meta.url));
const eventsPage = place("docs/events.md");
const wanted = [
  {
    file: place("openapi.json"),
    text: `${JSON.stringify(openApiDocument(packageJson.version), null, 2)}\n`,
  },
  { file: eventsPage, text: withEventsReference(await readFile(eventsPage, "utf8")) },
];

for (const { file, text } of wanted) {
  if (!process.argv.includes("--check")) {
    await writeFile(file, text);
    console.log(`${file} describes ${text.length} characters of the contract.`);
  } else if ((await readFile(file, "utf8").catch(() => "")) !== text) {
    console.error(`${file} differs from the contract. Run "npm run openapi" and commit the file.`);
    process.exitCode = 1;
  }
}
