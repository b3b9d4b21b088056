// A directory that is being restored: what was in it before, and how much of it is still to come.

import { indexOfName, type Listing, nameAt } from "../platform/listing.ts";
import { isBesideName } from "./besideName.ts";
import type { Metadata } from "./jobs.ts";
import { TwinNames } from "./twinNames.ts";

/**
 * What the snapshot knows of what is in a directory. `all`: it lies at or below a path that was backed up; `apart`: it does, but what is mounted there, or
 * was, is none of the snapshot's.
 */
export type Known = "all" | "some" | "apart";

export class RestoreFolder {
  /** Below the target; empty for the target itself. */
  readonly path: Buffer;
  readonly name: Buffer;
  readonly parent: RestoreFolder | undefined;
  /** Set at the end; undefined where the directory stays as it is. */
  readonly metadata: Metadata | undefined;
  readonly known: Known;
  /** Its number in the snapshot's own list of file systems; undefined for the target. */
  readonly device: bigint | undefined;
  /** New files and directories here get attributes (a default ACL) by themselves. */
  readonly inherits: boolean;
  /** What was here before; undefined for a new directory. */
  readonly listing: Listing | undefined;
  readonly depth: number;
  readonly twins = new TwinNames();
  /** Whether the target takes names for one here that differ by case; undefined until somebody asks. */
  ignoresCase: boolean | undefined;
  /** That nothing here is deleted was said. */
  told = false;
  /** Things below that are not finished; the walk itself is one. */
  open = 1;
  #passed = 0;

  constructor(fields: {
    path: Buffer;
    name: Buffer;
    parent: RestoreFolder | undefined;
    metadata: Metadata | undefined;
    known: Known;
    device: bigint | undefined;
    inherits: boolean;
    listing: Listing | undefined;
  }) {
    this.path = fields.path;
    this.name = fields.name;
    this.parent = fields.parent;
    this.metadata = fields.metadata;
    this.known = fields.known;
    this.device = fields.device;
    this.inherits = fields.inherits;
    this.listing = fields.listing;
    this.depth = fields.parent === undefined ? 0 : fields.parent.depth + 1;
  }

  /** Whether something had this name before. */
  had(name: Uint8Array): boolean {
    return this.listing !== undefined && indexOfName(this.listing, name) >= 0;
  }

  /** Names that were here, sort before `name` and were not passed: the snapshot has none of them. All that are left, without one. */
  *strangersBefore(name: Buffer | undefined): Generator<Buffer, void, void> {
    const { listing } = this;
    if (listing === undefined) return;
    for (; this.#passed < listing.count; this.#passed++) {
      const present = nameAt(listing, this.#passed);
      const order = name === undefined ? -1 : Buffer.compare(present, name);
      if (order > 0) return;
      // What a stopped run left is taken up, not thrown away.
      if (order < 0 && !isBesideName(present)) yield Buffer.from(present);
    }
  }
}
