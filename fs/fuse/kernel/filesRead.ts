// Node ids of files that were read, of which the kernel may have pages: they are dropped first where a vault is locked.

/** Beyond this the ones that were read first are forgotten: their turn comes with all other nodes then. */
const IDS_MAX = 100_000;

export class FilesRead {
  readonly #ids = new Set<number>();

  add(nodeId: number): void {
    if (this.#ids.has(nodeId)) return;
    this.#ids.add(nodeId);
    if (this.#ids.size <= IDS_MAX) return;
    for (const oldest of this.#ids) {
      this.#ids.delete(oldest);
      return;
    }
  }

  delete(nodeId: number): void {
    this.#ids.delete(nodeId);
  }

  has(nodeId: number): boolean {
    return this.#ids.has(nodeId);
  }

  [Symbol.iterator](): Iterator<number> {
    return this.#ids.values();
  }
}
