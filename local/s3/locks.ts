/** Lets one task at a time run under a name, in the order of asking. */
export class Locks {
  readonly #lastByName = new Map<string, Promise<unknown>>();

  async run<T>(name: string, task: () => Promise<T>): Promise<T> {
    const before = this.#lastByName.get(name);
    const turn = before ? before.then(task, task) : task();
    this.#lastByName.set(name, turn);
    try {
      return await turn;
    } finally {
      if (this.#lastByName.get(name) === turn) this.#lastByName.delete(name);
    }
  }
}
