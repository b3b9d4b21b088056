// PeerOperations of a running gateway, over its admin socket.

import type { IssuedPeer, NewPeer, PeerAnswer, PeerOperations } from "./peerOperations.ts";

/** Asks the admin socket; answers are parsed JSON. */
export type Ask = <T>(method: string, path: string, json?: unknown) => Promise<T>;

export class PeerClient implements PeerOperations {
  readonly #ask: Ask;

  constructor(ask: Ask) {
    this.#ask = ask;
  }

  peers(): Promise<PeerAnswer[]> {
    return this.#ask("GET", "/peers");
  }

  addPeer(request: NewPeer): Promise<IssuedPeer> {
    return this.#ask("POST", "/peers", request);
  }

  rotatePeer(name: string): Promise<IssuedPeer> {
    return this.#ask("POST", `/peers/${encodeURIComponent(name)}/token`, {});
  }

  removePeer(name: string, deleteData: boolean): Promise<PeerAnswer> {
    return this.#ask("DELETE", `/peers/${encodeURIComponent(name)}?deleteData=${deleteData}`);
  }
}
