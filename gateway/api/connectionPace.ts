// New connections of sources that are suspect (auth/suspects.ts) begin one after the other at a bounded rate, before TLS costs anything.
//
// Invariants: a source that is not suspect never waits. At most `waitingMax` of a source wait, and `waitingInAll`; what is beyond is closed. A
// connection that was let in is not touched.

import type { Socket } from "node:net";
import { networkOf } from "../auth/loginThrottle.ts";

/** Connections a second of a suspect source, and how many at once after a rest. */
const perSecond = 30;
const burst = 30;
const waitingMax = 64;
/** They take places of the listener's connections. */
const waitingInAll = 128;

type Lane = { tokens: number; atMs: number; readonly waiting: { socket: Socket; admit: () => void }[] };

export class ConnectionPace {
  readonly #isSuspect: (address: string) => boolean;
  readonly #monotonicMs: () => number;
  readonly #lanes = new Map<string, Lane>();
  #waiting = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(isSuspect: (address: string) => boolean, monotonicMs: () => number) {
    this.#isSuspect = isSuspect;
    this.#monotonicMs = monotonicMs;
  }

  /** Calls `admit` now, later or never; then the socket is destroyed. */
  take(socket: Socket, address: string, admit: () => void): void {
    const source = networkOf(address);
    const known = this.#lanes.get(source);
    if (known === undefined && !this.#isSuspect(address)) {
      admit();
      return;
    }
    const lane = known ?? { tokens: burst, atMs: this.#monotonicMs(), waiting: [] };
    this.#lanes.set(source, lane);
    if (lane.waiting.length >= waitingMax || this.#waiting >= waitingInAll) {
      socket.destroy();
      return;
    }
    lane.waiting.push({ socket, admit });
    this.#waiting++;
    // Whoever gives up while waiting is noticed when its turn comes.
    socket.on("error", () => socket.destroy());
    this.run();
  }

  /** Lets in whoever may be by now. */
  run(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const nowMs = this.#monotonicMs();
    for (const [source, lane] of this.#lanes) {
      lane.tokens = Math.min(burst, lane.tokens + ((nowMs - lane.atMs) / 1000) * perSecond);
      lane.atMs = nowMs;
      while (lane.waiting.length > 0 && lane.tokens >= 1) {
        const { socket, admit } = lane.waiting.shift() as Lane["waiting"][number];
        this.#waiting--;
        if (socket.destroyed) continue;
        lane.tokens--;
        admit();
      }
      // A lane is kept while it has tokens to win back, so that it cannot be emptied twice in a moment.
      if (lane.waiting.length === 0 && lane.tokens >= burst) this.#lanes.delete(source);
    }
    if (this.#lanes.size > 0) this.#timer = setTimeout(() => this.run(), 1000 / perSecond).unref();
  }

  close(): void {
    clearTimeout(this.#timer);
    for (const { waiting } of this.#lanes.values()) for (const { socket } of waiting) socket.destroy();
    this.#lanes.clear();
  }
}
