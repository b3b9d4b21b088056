// How many of the listener's connections one source may hold: no stranger can take them all from everybody else.
//
// Invariants: as long as few are taken, nobody is refused. Beyond `crowded` of `connectionsMax` a source that has `shareMax` gets no more.

import type { Socket } from "node:net";
import { networkOf } from "../auth/loginThrottle.ts";

export class ConnectionShare {
  readonly #crowded: number;
  readonly #shareMax: number;
  readonly #open = new Map<string, number>();
  #all = 0;

  constructor(connectionsMax: number) {
    this.#crowded = Math.floor((connectionsMax * 15) / 16);
    this.#shareMax = Math.floor(connectionsMax / 4);
  }

  /** Counts a connection until it closes. False when it is one too many: the caller closes it. */
  take(socket: Pick<Socket, "once">, address: string): boolean {
    const source = networkOf(address);
    const own = this.#open.get(source) ?? 0;
    if (this.#all >= this.#crowded && own >= this.#shareMax) return false;
    this.#all++;
    this.#open.set(source, own + 1);
    socket.once("close", () => {
      this.#all--;
      const left = (this.#open.get(source) ?? 1) - 1;
      if (left === 0) this.#open.delete(source);
      else this.#open.set(source, left);
    });
    return true;
  }
}
