// The tree hash of a replica's packs (docs/format.md, section 11.3): a Merkle tree with SHA-256 as in RFC 6962. Leaves and inner
// nodes begin with different bytes, so that none can pose as another.
import { hash } from "node:crypto";
import { u64 } from "./u64.ts";

const leafOfPack = Buffer.of(0);
const innerNode = Buffer.of(1);
const leafOfPage = Buffer.of(2);

/** In one call: an object for each of the many small hashes would cost three times as much. */
function sha256(...parts: readonly Uint8Array[]): Buffer {
  return hash("sha256", Buffer.concat(parts), "buffer");
}

/** The tree hash of leaves (32 bytes each), added one after the other; keeps as many hashes as the tree is high. */
export class TreeHash {
  /** Hashes of whole subtrees, largest first: as many as `#leaves` has bits set. */
  readonly #subtrees: Buffer[] = [];
  #leaves = 0;

  add(leaf: Buffer): void {
    let node = leaf;
    for (let rest = this.#leaves; rest % 2 === 1; rest = Math.floor(rest / 2)) {
      node = sha256(innerNode, this.#subtrees.pop()!, node);
    }
    this.#subtrees.push(node);
    this.#leaves++;
  }

  /** The hash of all leaves so far; more may be added afterwards. */
  digest(): Buffer {
    const whole = [...this.#subtrees];
    let node = whole.pop() ?? sha256();
    for (let left = whole.pop(); left !== undefined; left = whole.pop()) node = sha256(innerNode, left, node);
    return node;
  }
}

function treeHash(leaves: Iterable<Buffer>): Buffer {
  const tree = new TreeHash();
  for (const leaf of leaves) tree.add(leaf);
  return tree.digest();
}

/** The pack hash of a manifest page. A pack's name is the SHA-256 of its bytes, so it stands for that too. */
export function packHash(packs: readonly { readonly name: Uint8Array; readonly bytes: number }[]): Buffer {
  return treeHash(packs.map(({ name, bytes }) => sha256(leafOfPack, name, u64(bytes), name)));
}

/** `merkle` of a root, of the pack hashes of its pages of packs, in order. */
export function merkleOf(packHashes: readonly Uint8Array[]): Buffer {
  return treeHash(packHashes.map((page) => sha256(leafOfPage, page)));
}
