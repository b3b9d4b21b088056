// Wakes those who wait for something of an account or a vault to change.

export class ChangeFeed {
  readonly #listeners = new Set<(id: string) => void>();

  /** Something changed. `id`: of the account or vault, 32 hex digits. */
  tell(id: string): void {
    for (const listener of [...this.#listeners]) listener(id);
  }

  /** Calls back with the id of each change; returns a stop function. */
  onChanged(listener: (id: string) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Resolves at the next change of an id, after `milliseconds`, or when `signal` ends the wait. */
  wait(id: string, milliseconds: number, signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const end = (): void => {
        clearTimeout(timer);
        stop();
        signal.removeEventListener("abort", end);
        resolve();
      };
      const timer = setTimeout(end, milliseconds);
      const stop = this.onChanged((changed) => {
        if (changed === id) end();
      });
      signal.addEventListener("abort", end, { once: true });
      if (signal.aborted) end();
    });
  }
}
