// New keys of a vault, and who may open them besides the owner and the devices (docs/format.md section 4). The owner's client makes the documents: a
// gateway sees which wraps there are, not what is in them.

import type { Ask } from "./peerClient.ts";

/** A vault's secrets as JSON (hex). */
export type SecretsRequest = {
  readonly s: string;
  /** By epoch in decimal. */
  readonly epochs: Readonly<Record<string, string>>;
  readonly currentEpoch: number;
};

/** A keys document in its next generation and epoch. */
export type NewKeys = {
  readonly keysDocument: unknown;
  /** Where the vault is unlocked now, so that it stays so. Else it must not be there: keys go to a gateway only when its owner unlocks. */
  readonly secrets?: SecretsRequest;
};

export type RotatedKeys = {
  readonly epoch: number;
  readonly generation: number;
  /** Names of the devices that have the new keys. */
  readonly devices: readonly string[];
  /** Names of the escrow keys that open them. */
  readonly escrows: readonly string[];
  /** What became of the keys that an unlocked vault had: `renewed`, `locked`; `none` where it was locked. */
  readonly unlocked: "renewed" | "locked" | "none";
};

export type AddedEscrow = { readonly label: string; readonly public: string; readonly generation: number };

export interface KeysOperations {
  /**
   * A new key epoch of a vault (its id). All devices that are not revoked, and all escrow keys, keep their access.
   * @throws HoldfastError not-found, usage, corrupt, limit-exceeded, disk-full; sequence-conflict: fetch keys and devices, and make it again; forbidden at a box
   */
  rotate(vault: string, request: NewKeys): Promise<RotatedKeys>;
  /** One more escrow key, in the epoch there is. @throws HoldfastError as rotate */
  addEscrow(vault: string, keysDocument: unknown): Promise<AddedEscrow>;
  /** Takes an escrow key away (by its public half, base64): by a rotation, since its holder may have kept E. @throws HoldfastError as rotate */
  removeEscrow(vault: string, publicKey: string, request: NewKeys): Promise<RotatedKeys>;
}

/** Over the admin socket. */
export function keysClient(ask: Ask): KeysOperations {
  return {
    rotate: (vault, request) => ask("POST", `/vaults/${vault}/keys/rotate`, request),
    addEscrow: (vault, keysDocument) => ask("POST", `/vaults/${vault}/keys/escrows`, { keysDocument }),
    removeEscrow: (vault, publicKey, request) =>
      ask("POST", `/vaults/${vault}/keys/escrows/remove`, { public: publicKey, ...request }),
  };
}
