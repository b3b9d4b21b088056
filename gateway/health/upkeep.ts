// Small work that a running gateway does again and again: one round at a time, each task whatever became of the others.

export type UpkeepTask = { readonly name: string; readonly run: () => Promise<void> };

export type UpkeepOptions = {
  readonly tasks: readonly UpkeepTask[];
  readonly everyMs: number;
  /** Until the first round: a start has other things to do. */
  readonly firstMs: number;
  readonly failed: (task: string, error: unknown) => void;
};

export class Upkeep {
  readonly #options: UpkeepOptions;
  #first: NodeJS.Timeout | undefined;
  #timer: NodeJS.Timeout | undefined;
  #round: Promise<void> = Promise.resolve();
  #busy = false;

  constructor(options: UpkeepOptions) {
    this.#options = options;
  }

  start(): void {
    const { firstMs, everyMs } = this.#options;
    this.#first = setTimeout(() => this.#begin(), firstMs).unref();
    this.#timer = setInterval(() => this.#begin(), everyMs).unref();
  }

  #begin(): void {
    if (this.#busy) return;
    this.#busy = true;
    this.#round = this.#run().finally(() => {
      this.#busy = false;
    });
  }

  async #run(): Promise<void> {
    const { tasks, failed } = this.#options;
    for (const { name, run } of tasks) {
      try {
        await run();
      } catch (error) {
        failed(name, error);
      }
    }
  }

  /** Resolves when no round is under way, and none begins any more. */
  async close(): Promise<void> {
    clearTimeout(this.#first);
    clearInterval(this.#timer);
    await this.#round;
  }
}
