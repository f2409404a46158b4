/** Small, fast and seedable: mulberry32. The same seed plays the same run. */
export const seededRandom = (seed: number): (() => number) => {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
};

/** One running call. Between two of its store operations anything else may happen, or it may die. */
export class Process {
  /** Operations that wait for their turn. */
  readonly waiting: (() => void)[] = [];
  done = false;
  failure: unknown;

  /** Runs the operation in one piece once the scheduler lets it. A process that was killed waits for ever. */
  turn<Result>(operation: () => Result): Promise<Result> {
    return new Promise((resolve, reject) => {
      this.waiting.push(() => {
        try {
          resolve(operation());
        } catch (error) {
          reject(error instanceof Error ? error : new Error(String(error)));
        }
      });
    });
  }

  /** Starts the work; `whenDone` gets its result unless the process is killed before. */
  run<Result>(work: () => Promise<Result>, whenDone: (result: Result) => void): this {
    work().then(
      (result) => {
        this.done = true;
        whenDone(result);
      },
      (error) => {
        this.done = true;
        this.failure = error;
      },
    );
    return this;
  }
}

/** Lets every promise that can go on do so: each process then waits for its turn, or is done. */
export const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
