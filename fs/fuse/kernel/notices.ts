// Notifications that make the kernel drop what it cached: their bodies, and how long they may take.

/** A notice that takes the kernel longer waits for a request in our hands, which is then told to try again. */
export const noticeMsMax = 5000;

/** fuse_notify_inval_entry_out: forget this name below `parent`, and the tree under it. */
export function invalEntry(parent: number, name: Uint8Array): Buffer {
  const out = Buffer.alloc(16 + name.length + 1);
  out.writeBigUInt64LE(BigInt(parent));
  out.writeUInt32LE(name.length, 8);
  out.set(name, 16);
  return out;
}

/** fuse_notify_inval_inode_out: forget this node's attributes, pages and directory rows. */
export function invalInode(nodeId: number): Buffer {
  const out = Buffer.alloc(24);
  out.writeBigUInt64LE(BigInt(nodeId));
  return out;
}
