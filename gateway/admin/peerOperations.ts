// Peers as an administrator sees them: gateways that keep replicas here.

import type { PeerRow } from "../catalog/peers.ts";
import type { Gateway } from "../gateway.ts";

export type NewPeer = {
  readonly name: string;
  /** null: as much as the disk holds. */
  readonly quotaBytes: number | null;
  readonly holdSeconds: number;
};

export type PeerAnswer = {
  readonly id: string;
  readonly name: string;
  readonly quotaBytes: number | null;
  readonly usedBytes: number;
  readonly objects: number;
  readonly holdSeconds: number;
  readonly created: string;
  /** Where its objects are. */
  readonly folder: string;
};

/** A peer, and what goes into its token file; `token` is stored nowhere. */
export type IssuedPeer = PeerAnswer & {
  readonly token: string;
  readonly fingerprint: string;
  readonly signer: string;
  /** HOST:PORT of the settings. */
  readonly listen: string;
};

export interface PeerOperations {
  /** All peers, by name. */
  peers(): Promise<PeerAnswer[]>;
  /** @throws HoldfastError usage, exists, disk-full, io-error */
  addPeer(request: NewPeer): Promise<IssuedPeer>;
  /** Gives a peer another token, in place of the one it has. @throws HoldfastError not-found */
  rotatePeer(name: string): Promise<IssuedPeer>;
  /** Ends a peer's access, and deletes its objects where that is wanted. @throws HoldfastError not-found, io-error */
  removePeer(name: string, deleteData: boolean): Promise<PeerAnswer>;
}

export class PeerAdministration implements PeerOperations {
  readonly #gateway: Gateway;

  constructor(gateway: Gateway) {
    this.#gateway = gateway;
  }

  async peers(): Promise<PeerAnswer[]> {
    return this.#gateway.peers.rows.list().map((row) => this.#answer(row));
  }

  async addPeer({ name, quotaBytes, holdSeconds }: NewPeer): Promise<IssuedPeer> {
    return this.#issued(await this.#gateway.peers.add(name, { quotaBytes, holdSeconds }));
  }

  async rotatePeer(name: string): Promise<IssuedPeer> {
    return this.#issued(this.#gateway.peers.rotate(name));
  }

  async removePeer(name: string, deleteData: boolean): Promise<PeerAnswer> {
    const answer = this.#answer(this.#gateway.peers.named(name));
    await this.#gateway.peers.remove(name, deleteData);
    return answer;
  }

  #answer({ id, name, quotaBytes, holdSeconds, created }: PeerRow): PeerAnswer {
    const { rows } = this.#gateway.peers;
    const { bytes, objects } = rows.totals(id);
    const folder = this.#gateway.peers.folderPath(id);
    return { id, name, quotaBytes, usedBytes: bytes, objects, holdSeconds, created, folder };
  }

  #issued({ row, token }: { readonly row: PeerRow; readonly token: string }): IssuedPeer {
    const { fingerprint, settings } = this.#gateway.dataDir;
    const signer = this.#gateway.peers.signer.publicKey;
    return { ...this.#answer(row), token, fingerprint, signer, listen: settings.listen };
  }
}
