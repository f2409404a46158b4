import { type AudienceProgress, type AudienceRun, audiences } from "../../shared/storage/audiences.ts";

const reportEveryMs = 1_000;

/** Another run works on the audience now: this one must stop and change nothing more. */
export class Superseded extends Error {
  override readonly name = "Superseded";
}

/** Throws when the audience is not this run's any more. */
export const assertOwn = (isOwn: boolean): void => {
  if (!isOwn) throw new Superseded("another run works on the audience");
};

/** Tells on the audience's record how far a run is, about once a second. */
export class Progress {
  readonly #run: AudienceRun;
  #reportedAt = Date.now();

  constructor({ audienceId, attempt }: AudienceRun) {
    this.#run = { audienceId, attempt };
  }

  /** Undefined when it is not time to report yet. Throws `Superseded` when the audience is not this run's any more. */
  report(progress: AudienceProgress): Promise<void> | undefined {
    if (Date.now() - this.#reportedAt < reportEveryMs) return undefined;
    this.#reportedAt = Date.now();
    return audiences.report(this.#run, progress).then(assertOwn);
  }
}
