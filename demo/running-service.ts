import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { type Endpoints, startLocalService } from "../local/local-service.ts";
import { narrator } from "./narrator.ts";

const endpointsFile = fileURLToPath(new URL("../.local/endpoints.json", import.meta.url));

/** The endpoints of the service that `npm start` runs in another window, if one answers. */
const endpointsOfRunning = async (): Promise<Endpoints | undefined> => {
  try {
    const endpoints = JSON.parse(await readFile(endpointsFile, "utf8")) as Endpoints;
    const { ok } = await fetch(`${endpoints.apiUrl}/health`, { signal: AbortSignal.timeout(3_000) });
    return ok ? endpoints : undefined;
  } catch {
    return undefined;
  }
};

/** The running service, or one that is started for the demo and stopped by `close`. */
export const runningService = async (): Promise<{ endpoints: Endpoints; close(): Promise<void> }> => {
  const endpoints = await endpointsOfRunning();
  if (endpoints) return { endpoints, close: async () => {} };
  return startLocalService({ port: 0, onBuild: () => narrator.remark("Building the service, once …") });
};
