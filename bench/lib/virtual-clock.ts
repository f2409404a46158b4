/** Time that passes only as events happen: hours of traffic run in seconds, and the same seed plays the same run. */
export class VirtualClock {
  /** Milliseconds since the clock was made. */
  now = 0;
  /** A binary heap: each event is no later than the two that hang below it. */
  readonly #events: { readonly at: number; readonly happen: () => void }[] = [];

  /** Lets something happen in so many milliseconds. */
  in(milliseconds: number, happen: () => void): void {
    const events = this.#events;
    const event = { at: this.now + milliseconds, happen };
    let place = events.length;
    while (place > 0) {
      const above = (place - 1) >> 1;
      if (events[above]!.at <= event.at) break;
      events[place] = events[above]!;
      place = above;
    }
    events[place] = event;
  }

  sleep(milliseconds: number): Promise<void> {
    return new Promise((resolve) => this.in(milliseconds, resolve));
  }

  /** Runs until nothing is left to happen. Between two events every promise that can go on does so. */
  async run(): Promise<void> {
    for (;;) {
      await new Promise((resolve) => setImmediate(resolve));
      const next = this.#takeFirst();
      if (!next) return;
      this.now = next.at;
      next.happen();
    }
  }

  #takeFirst(): { readonly at: number; readonly happen: () => void } | undefined {
    const events = this.#events;
    const first = events[0];
    const last = events.pop();
    if (!last || events.length === 0) return first;
    let place = 0;
    for (;;) {
      let below = 2 * place + 1;
      if (below >= events.length) break;
      if (below + 1 < events.length && events[below + 1]!.at < events[below]!.at) below += 1;
      if (last.at <= events[below]!.at) break;
      events[place] = events[below]!;
      place = below;
    }
    events[place] = last;
    return first;
  }
}
