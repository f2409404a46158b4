import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { startLocalService } from "../../local/local-service.ts";

/** The whole service as `npm start` runs it, in a directory of its own, until the parent lets go. Tells where it is. */
const directory = await mkdtemp(join(tmpdir(), "codewell-bench-service-"));
const service = await startLocalService({ directory, port: 0 });
process.once("disconnect", async () => {
  await service.kill();
  await rm(directory, { recursive: true, force: true });
});
process.send?.(service.endpoints);
