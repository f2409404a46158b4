import { vi } from "vitest";

/**
 * A copy of the service's code, as a process of its own has it: with its own memory and its own connections, which
 * all go to `endpoint`. `load` imports what is wanted of it. Start one after the other, not side by side.
 */
export const startProcess = async <Modules>(
  endpoint: string,
  load: () => Promise<Modules>,
): Promise<Modules> => {
  vi.resetModules();
  process.env.AWS_ENDPOINT_URL_DYNAMODB = endpoint;
  const modules = await load();
  await useEndpoint();
  return modules;
};

/** Clients look for their endpoint at their first request and keep it: the next process has another one. */
const useEndpoint = async (): Promise<void> => {
  const { assertTableAnswers } = await import("../../shared/storage/table-health.ts");
  const { readFew } = await import("../../shared/storage/hot-calls.ts");
  const { directRequest } = await import("../../shared/storage/direct-request.ts");
  const { keys } = await import("../../shared/storage/table.ts");
  await assertTableAnswers(30_000);
  await readFew([keys.cursorSecret()]);
  // Names no table, so it is refused; it was sent all the same.
  await directRequest("UpdateItem", {}).catch(() => undefined);
};
