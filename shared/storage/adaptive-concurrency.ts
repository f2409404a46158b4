const start = 8;
const most = 64;
/** A batch takes DynamoDB 10 to 30 ms. Whoever takes this long is busy, and others wait for their answers behind us. */
const slowMs = 300;
/** Requests that were in flight together suffer together: within this time that counts once. */
const oneRefusalMs = 200;

/**
 * How many requests to keep in flight: one more for every round without trouble, a third fewer after a refusal or a
 * slow answer (additive increase, multiplicative decrease). So many loaders share what a table gives, and
 * customers who want a code are not kept waiting.
 */
export class AdaptiveConcurrency {
  #limit: number = start;
  #shrunkAt = Number.NEGATIVE_INFINITY;

  get limit(): number {
    return Math.floor(this.#limit);
  }

  /** A request succeeded, after `tookMs`. All times in milliseconds. */
  succeeded(tookMs: number, now: number): void {
    if (tookMs > slowMs) this.#shrink(now);
    else this.#limit = Math.min(most, this.#limit + 1 / this.#limit);
  }

  throttled(now: number): void {
    this.#shrink(now);
  }

  #shrink(now: number): void {
    if (now - this.#shrunkAt < oneRefusalMs) return;
    this.#shrunkAt = now;
    this.#limit = Math.max(1, (this.#limit * 2) / 3);
  }
}
