import { percentile } from "../bench/lib/percentiles.ts";

/** Fewer samples than this tell nothing of a trend. */
const fewestSamples = 60;
/** The first fifth is warm-up: the pools of connections and the code that gets compiled. */
const warmUp = 0.2;
/** What a heap that is collected now and then may look larger by, of two ends of the same level. */
const allowance = 1.2;

/** A process's memory over a time in which nothing restarts it. */
export class MemoryWatch {
  readonly #memoryMb: () => number | undefined;
  readonly #samples: number[] = [];

  constructor(memoryMb: () => number | undefined) {
    this.#memoryMb = memoryMb;
  }

  sample(): void {
    const now = this.#memoryMb();
    if (now !== undefined) this.#samples.push(now);
  }

  /** Medians of the first and of the last quarter after the warm-up, in MB. */
  get ends(): readonly [number, number] {
    const warm = this.#samples.slice(Math.floor(this.#samples.length * warmUp));
    const quarter = Math.ceil(warm.length / 4);
    return [percentile(warm.slice(0, quarter), 0.5), percentile(warm.slice(-quarter), 0.5)];
  }

  /** Undefined when it was watched for too short a time to tell. */
  get isFlat(): boolean | undefined {
    if (this.#samples.length < fewestSamples) return undefined;
    const [first, last] = this.ends;
    return last <= first * allowance;
  }
}
