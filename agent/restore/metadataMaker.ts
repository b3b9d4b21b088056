// Turns an entry of the snapshot into what is to be set at the target.

import { nanoseconds } from "../../fs/view/snapshotNodes.ts";
import type { TreeEntry, TreeReader } from "../../fs/view/treeReader.ts";
import { encodeXattrs } from "../../vault/tree/xattrs.ts";
import type { Platform } from "../platform/port.ts";
import type { Metadata } from "./jobs.ts";

const none = Buffer.alloc(0);

export class MetadataMaker {
  readonly #platform: Platform;
  readonly #tree: TreeReader;
  readonly #ownerByName: boolean;

  constructor(platform: Platform, tree: TreeReader, ownerByName: boolean) {
    this.#platform = platform;
    this.#tree = tree;
    this.#ownerByName = ownerByName;
  }

  /** @param cleanXattrs whether attributes that the entry does not have must go. A promise only for attributes in a record. */
  of(entry: TreeEntry, cleanXattrs: boolean): Metadata | Promise<Metadata> {
    const { xattrs } = entry;
    if (xattrs.form === "none") return this.#with(entry, none, cleanXattrs);
    if (xattrs.form === "inline") return this.#with(entry, encodeXattrs(xattrs.list), cleanXattrs);
    return this.#tree
      .xattrsOf(xattrs)
      .then((list) => this.#with(entry, list.length === 0 ? none : encodeXattrs(list), cleanXattrs));
  }

  #with(entry: TreeEntry, xattrs: Buffer, cleanXattrs: boolean): Metadata {
    const { uid, gid, userName, groupName } = entry;
    const byName = this.#ownerByName;
    return {
      mode: entry.mode,
      uid: byName && userName !== "" ? (this.#platform.userId(userName) ?? uid) : uid,
      gid: byName && groupName !== "" ? (this.#platform.groupId(groupName) ?? gid) : gid,
      mtimeNs: nanoseconds(entry.mtime),
      xattrs,
      cleanXattrs,
    };
  }
}
