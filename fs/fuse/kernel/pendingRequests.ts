// Requests that are in our hands: read from the kernel and not answered.
//
// Invariants: each is answered once, by whoever comes first: the view, an interrupt, or the end; after stop() nothing is
// begun. The kernel holds a directory's lock while it waits for a lookup in it, and cannot be stopped while a notification of ours
// waits for that lock, not even by killing this process: hence untilNoLookup.

import { constants } from "node:os";
import type { Request } from "./request.ts";

const { errno } = constants;

export type Pending = {
  /** There only for what can take long: making one costs more than answering from memory. */
  readonly abort: AbortController | undefined;
  /** The node whose lock the kernel holds until the answer. */
  readonly directory: number | undefined;
  answered: boolean;
};

export class PendingRequests {
  readonly #byUnique = new Map<number, Pending>();
  readonly #send: (unique: number, status: number) => void;
  #waiting: (() => void)[] = [];
  #stopped = false;

  /** @param send answers with an errno */
  constructor(send: (unique: number, status: number) => void) {
    this.#send = send;
  }

  get stopped(): boolean {
    return this.#stopped;
  }

  /** Takes a request into our hands; after stop() it is answered and undefined. */
  begin({ header, body }: Request): Pending | undefined {
    if (this.#stopped) {
      this.#send(header.unique, errno.ENOTCONN);
      return undefined;
    }
    const pending: Pending = {
      abort: body.op === "read" || body.op === "lseek" ? new AbortController() : undefined,
      directory: body.op === "lookup" || body.op === "readdir" ? header.nodeId : undefined,
      answered: false,
    };
    this.#byUnique.set(header.unique, pending);
    return pending;
  }

  /** The view is done with it, and the kernel has an answer. The kernel uses no `unique` twice. */
  end(unique: number): void {
    this.#byUnique.delete(unique);
    this.#answered();
  }

  /** Answers in place of the view. Of a request that is unknown or answered the kernel wants to hear nothing more. */
  answerNow(unique: number, status: number): void {
    const pending = this.#byUnique.get(unique);
    if (pending === undefined) return;
    this.#byUnique.delete(unique);
    pending.answered = true;
    pending.abort?.abort();
    this.#send(unique, status);
    this.#answered();
  }

  /** Answers everything, and whatever comes from now on, with ENOTCONN. */
  stop(): void {
    this.#stopped = true;
    for (const unique of this.#byUnique.keys()) this.answerNow(unique, errno.ENOTCONN);
    this.#answered();
  }

  /** Resolves when no lookup in the directory is in our hands. */
  async untilNoLookup(directory: number): Promise<void> {
    while (this.#lookupsIn(directory).length > 0) {
      await new Promise<void>((go) => this.#waiting.push(go));
    }
  }

  /** Answers the lookups in a directory with EINTR. */
  interruptLookups(directory: number): void {
    for (const unique of this.#lookupsIn(directory)) this.answerNow(unique, errno.EINTR);
  }

  #lookupsIn(directory: number): number[] {
    const found: number[] = [];
    for (const [unique, pending] of this.#byUnique) if (pending.directory === directory) found.push(unique);
    return found;
  }

  #answered(): void {
    if (this.#waiting.length === 0) return;
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const go of waiting) go();
  }
}
