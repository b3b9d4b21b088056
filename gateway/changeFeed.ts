// Wakes those who wait for snapshots of an account to appear or go.

export class ChangeFeed {
  readonly #listeners = new Set<(account: string) => void>();

  /** Something about an account's snapshots changed. */
  tell(account: string): void {
    for (const listener of [...this.#listeners]) listener(account);
  }

  /** Calls back with the account (32 hex) of each change; returns a stop function. */
  onChanged(listener: (account: string) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Resolves at the next change of an account, after `milliseconds`, or when `signal` ends the wait. */
  wait(account: string, milliseconds: number, signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const end = (): void => {
        clearTimeout(timer);
        stop();
        signal.removeEventListener("abort", end);
        resolve();
      };
      const timer = setTimeout(end, milliseconds);
      const stop = this.onChanged((changed) => {
        if (changed === account) end();
      });
      signal.addEventListener("abort", end, { once: true });
      if (signal.aborted) end();
    });
  }
}
