// Runs the fixture stack in a process that a test can kill: `tsx run.ts <directory>`. Prints the endpoints as JSON.
import { fileURLToPath } from "node:url";
import { startLocalService } from "../../../local/local-service.ts";

const [directory = ""] = process.argv.slice(2);
const { endpoints } = await startLocalService({
  directory,
  port: 0,
  stack: fileURLToPath(new URL(".", import.meta.url)),
  createKey: async () => "key-of-the-first-start",
});
console.log(JSON.stringify(endpoints));
