import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestProject } from "vitest/node";
import { type Endpoints, startLocalService } from "../../local/local-service.ts";

declare module "vitest" {
  interface ProvidedContext {
    readonly endpoints: Endpoints;
  }
}

/** Starts the built service once for all files: what they do to it, it must survive as one. */
export default async function startService(project: TestProject): Promise<() => Promise<void>> {
  const directory = await mkdtemp(join(tmpdir(), "codewell-inputs-"));
  const service = await startLocalService({ directory, port: 0 });
  project.provide("endpoints", service.endpoints);
  return async () => {
    await service.close();
    await rm(directory, { recursive: true, force: true });
  };
}
