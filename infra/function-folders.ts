import { functionName, type RouteName, routes } from "../shared/contract/routes.ts";
import { jobs, workers } from "./jobs.ts";

/** Folders below `functions/` that the stack deploys: one per route, job and worker. */
export const functionFolders: readonly string[] = [
  ...(Object.keys(routes) as RouteName[]).map(functionName),
  ...Object.values(jobs).map((job) => job.folder),
  ...Object.values(workers).map((worker) => worker.folder),
].sort();
