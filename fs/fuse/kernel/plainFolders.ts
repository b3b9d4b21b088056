// Lets programs that go through a large folder stop asking for attributes of its files, where none of them has any.
//
// `ls -l` asks for two attributes of every file, an SELinux label and an ACL, and the kernel keeps no "there is none": 200,000 requests for
// 100,000 files, four fifths of the time. Told that they are not supported (EOPNOTSUPP), it asks nothing more about the whole
// device, nor does it for the folders that it lists afterwards. So this is said late, and only where it is worth something.
//
// Invariants: it is said only of folders all of whose rows were looked at, and none of them has attributes; after askedMin questions about
// rows of one folder, without a pause and none about others between them; and never for an attribute that the kernel itself needs.

import { keepNewest } from "../../view/newest.ts";
import type { RowDirectory, RowSource } from "../../view/rows.ts";

/** A smaller folder costs a few hundredths of a second. */
const askedMin = 1000;
/** Questions after a pause are another program's. */
const pauseMs = 1000;
const foldersKept = 64;

/** What ls asks for, and what the kernel treats both answers alike for. */
const labels: ReadonlySet<string> = new Set(["security.selinux", "security.capability"]);
const acls: ReadonlySet<string> = new Set(["system.posix_acl_access", "system.posix_acl_default"]);

type State = "looking" | "plain" | "other";

export class PlainFolders {
  readonly #rows: RowSource;
  /** By folder; the tree tells folders of different snapshots apart. */
  readonly #states = new Map<string, { readonly tree: object; state: State }>();
  #block = -1;
  #key = "";
  #tree: object | undefined;
  #asked = 0;
  #askedAt = 0;
  readonly #now: () => number;

  /** @param now a clock that never goes back, in milliseconds */
  constructor(rows: RowSource, now: () => number = () => performance.now()) {
    this.#rows = rows;
    this.#now = now;
  }

  /**
   * Somebody asked for an attribute of a row without any. Whether to say that there is no such thing here at all.
   * @param block of its node id
   * @param directoryOf the folder; called when the block is another than before
   * @param kernelUses ACLs, to decide who may do what: it would take the answer for a failure
   */
  unsupported(
    name: string,
    block: number,
    directoryOf: () => RowDirectory,
    kernelUses: { readonly acls: boolean },
  ): boolean {
    if (!labels.has(name) && (kernelUses.acls || !acls.has(name))) return false;
    if (block !== this.#block) this.#turnTo(block, directoryOf());
    const now = this.#now();
    if (now - this.#askedAt > pauseMs) this.#asked = 0;
    this.#askedAt = now;
    if (++this.#asked < askedMin) return false;
    const known = this.#states.get(this.#key);
    if (known?.tree === this.#tree) return known?.state === "plain";
    void this.#look(directoryOf());
    return false;
  }

  /** Forgets all folders: a vault was locked. */
  clear(): void {
    this.#states.clear();
    this.#block = -1;
    this.#key = "";
    this.#tree = undefined;
  }

  #turnTo(block: number, directory: RowDirectory): void {
    const key = keyOf(directory);
    this.#block = block;
    if (key === this.#key && directory.tree === this.#tree) return;
    this.#key = key;
    this.#tree = directory.tree;
    this.#asked = 0;
  }

  /** Looks at all rows of a folder, a page in a turn of the event loop. */
  async #look(directory: RowDirectory): Promise<void> {
    const folder = { tree: directory.tree, state: "looking" as State };
    keepNewest(this.#states, keyOf(directory), folder, foldersKept);
    try {
      folder.state = (await this.#isPlain(directory)) ? "plain" : "other";
    } catch {
      // Whoever lists the folder hears of it.
      folder.state = "other";
    }
  }

  async #isPlain(directory: RowDirectory): Promise<boolean> {
    for (let row = 0; ; ) {
      const run = await this.#rows.run(directory, row, false);
      if (run === undefined) return true;
      for (const end = run.first + run.count; row < end; row++) if (run.hasXattrs(row)) return false;
      await new Promise(setImmediate);
    }
  }
}

function keyOf({ inodeLow, inodeHigh }: RowDirectory): string {
  return `${inodeHigh}.${inodeLow}`;
}
