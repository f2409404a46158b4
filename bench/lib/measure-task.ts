/** An answer of a program that ran in a process of its own, and what the process took for it. */
export interface Measured<Answer> {
  readonly answer: Answer;
  readonly seconds: number;
  /** User and system time of all its threads, from the task to the answer: loading the program is not in it. */
  readonly cpuSeconds: number;
  /** The most memory that was ever resident, Node itself and the program included. */
  readonly peakRssMb: number;
}

export interface Failed {
  readonly failed: string;
}

/** The whole of a program of `bench/apart/` that measures itself: waits for its task, does it, answers, and ends. */
export const measureTask = <Task, Answer>(work: (task: Task) => Promise<Answer>): void => {
  process.once("disconnect", () => process.exit());
  process.once("message", async (task: Task) => {
    const cpu = process.cpuUsage();
    const begun = performance.now();
    const message = await work(task).then(
      (answer): Measured<Answer> => {
        const { user, system } = process.cpuUsage(cpu);
        return {
          answer,
          seconds: (performance.now() - begun) / 1_000,
          cpuSeconds: (user + system) / 1e6,
          peakRssMb: process.resourceUsage().maxRSS / 1_024,
        };
      },
      (error: unknown): Failed => ({ failed: error instanceof Error ? String(error.stack) : String(error) }),
    );
    process.send?.(message);
  });
};
