// Tasks of one name run one after the other; those of different names do not wait for each other.

export class Turns {
  readonly #last = new Map<string, Promise<unknown>>();

  /** Runs `task` when all that were given before it for `name` are over. */
  run<T>(name: string, task: () => Promise<T>): Promise<T> {
    const before = this.#last.get(name) ?? Promise.resolve();
    const mine = before.then(task);
    const over = mine.then(
      () => {},
      () => {},
    );
    this.#last.set(name, over);
    void over.then(() => {
      if (this.#last.get(name) === over) this.#last.delete(name);
    });
    return mine;
  }
}
