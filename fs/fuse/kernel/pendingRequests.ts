// Requests that are in our hands: read from the kernel and not answered.
//
// Invariants: each is answered once, by whoever comes first: the view, an interrupt, or the end; after stop() nothing is
// begun. The kernel holds locks while it waits for an answer: a directory's for lookups in it, a file's pages' for reads. A
// notification of ours that waits for these cannot be stopped, not even by killing this process: hence untilIdle.

import { constants } from "node:os";
import type { Request } from "./request.ts";

const { errno } = constants;

export type Pending = {
  /** There only for what can take long: making one costs more than answering from memory. */
  readonly abort: AbortController | undefined;
  /** The node of which the kernel holds locks until the answer. */
  readonly locked: number | undefined;
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

  /** Whether nothing is in our hands. */
  get idle(): boolean {
    return this.#byUnique.size === 0;
  }

  /** What a request needs until its answer; after stop() it is answered and undefined. */
  prepare({ header, body }: Request): Pending | undefined {
    if (this.#stopped) {
      this.#send(header.unique, errno.ENOTCONN);
      return undefined;
    }
    return {
      abort: body.op === "read" || body.op === "lseek" ? new AbortController() : undefined,
      locked: body.op === "lookup" || body.op === "readdir" || body.op === "read" ? header.nodeId : undefined,
      answered: false,
    };
  }

  /** Takes a request into our hands that was not answered in the turn in which it was prepared. */
  begin(unique: number, pending: Pending): void {
    this.#byUnique.set(unique, pending);
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

  /** Resolves when nothing in our hands makes the kernel hold locks of the node. */
  async untilIdle(nodeId: number): Promise<void> {
    while (this.#locking(nodeId).length > 0) {
      await new Promise<void>((go) => this.#waiting.push(go));
    }
  }

  /** Answers all of that with EINTR. */
  interrupt(nodeId: number): void {
    for (const unique of this.#locking(nodeId)) this.answerNow(unique, errno.EINTR);
  }

  #locking(nodeId: number): number[] {
    const found: number[] = [];
    for (const [unique, pending] of this.#byUnique) if (pending.locked === nodeId) found.push(unique);
    return found;
  }

  #answered(): void {
    if (this.#waiting.length === 0) return;
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const go of waiting) go();
  }
}
