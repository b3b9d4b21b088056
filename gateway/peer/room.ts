// How much more a peer may store: its quota, and what the disk has. What is on its way counts with its declared size, so that many uploads
// at a time cannot go over together what each may alone.

import { statfs } from "node:fs/promises";
import { ErrorCode, HoldfastError } from "../../vault/errors.ts";
import type { PeerRow, PeerRows } from "../catalog/peers.ts";

/** Inodes that stay free for everything else on the disk. */
const inodesReserved = 10_000;

export class PeerRoom {
  readonly #rows: PeerRows;
  readonly #reserveBytes: () => number;
  /** Declared bytes of objects that arrive in one request, by peer. */
  readonly #arriving = new Map<string, number>();

  /** `reserveBytes`: what is to stay free on the disk. */
  constructor(rows: PeerRows, reserveBytes: () => number) {
    this.#rows = rows;
    this.#reserveBytes = reserveBytes;
  }

  /** Declared bytes of a peer's uploads that are not finished. */
  uploadBytes(peer: string): number {
    let bytes = 0;
    for (const upload of this.#rows.uploads(peer).values()) bytes += upload.bytes;
    return bytes;
  }

  /** @throws HoldfastError replica-full when so many bytes more do not fit the quota */
  checkQuota(peer: PeerRow, bytes: number): void {
    const used = this.#rows.totals(peer.id).bytes;
    const coming = this.uploadBytes(peer.id) + (this.#arriving.get(peer.id) ?? 0);
    if (peer.quotaBytes === null || used + coming + bytes <= peer.quotaBytes) return;
    throw new HoldfastError(ErrorCode.replicaFull, `the quota of ${peer.quotaBytes} bytes is used up`, {
      next: "Ask whoever runs the far gateway for a larger quota.",
      detail: { quotaBytes: peer.quotaBytes, usedBytes: used },
    });
  }

  /** @throws HoldfastError replica-full when the disk has no room for so many bytes more */
  async checkDisk(folder: string, bytes: number): Promise<void> {
    const { bavail, bsize, files, ffree } = await statfs(folder);
    if (bavail * bsize - this.#reserveBytes() < bytes) throw diskIsFull();
    // Objects may be empty: the quota does not bound how many there are. (`files` is 0 where a file system makes inodes as it goes.)
    if (files > 0 && ffree < inodesReserved) throw diskIsFull();
  }

  /** Runs `work` while so many bytes more count as taken. @throws HoldfastError replica-full, and what `work` throws */
  async during<T>(peer: PeerRow, folder: string, bytes: number, work: () => Promise<T>): Promise<T> {
    const { id } = peer;
    // Looked at and counted before anything is awaited, so that of two at a time the second sees the first.
    this.checkQuota(peer, bytes);
    this.#arriving.set(id, (this.#arriving.get(id) ?? 0) + bytes);
    try {
      await this.checkDisk(folder, bytes);
      return await work();
    } finally {
      const left = this.#arriving.get(id)! - bytes;
      if (left === 0) this.#arriving.delete(id);
      else this.#arriving.set(id, left);
    }
  }
}

export function diskIsFull(): HoldfastError {
  return new HoldfastError(ErrorCode.replicaFull, "the far gateway's disk has no room left", {
    next: "Tell whoever runs it; what was stored there stays.",
  });
}
