import { vi } from "vitest";

/** The lines that a job logs while `work` runs, without how long it took. */
export const jobLinesOf = async (work: () => Promise<unknown>): Promise<readonly object[]> => {
  // Not at the top: a test on two engines loads the modules twice, and each has its own logger.
  const { logger } = await import("../../shared/http/logger.ts");
  const spies = [
    vi.spyOn(logger, "info").mockImplementation(() => {}),
    vi.spyOn(logger, "error").mockImplementation(() => {}),
  ];
  await work();
  const lines = spies.flatMap(({ mock }) => mock.calls as unknown as [string, { durationMs: number }][]);
  for (const spy of spies) spy.mockRestore();
  return lines.map(([message, { durationMs, ...facts }]) => {
    if (!(durationMs >= 0)) throw new Error(`"${message}" says ${durationMs} for its milliseconds`);
    return { message, ...facts };
  });
};
