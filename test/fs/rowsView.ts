// A View of folders of any number of files, of which nothing exists before it is asked for.

import type { FoundRow, RowDirectory, RowRun, RowSource, RowStat } from "../../fs/view/rows.ts";
import type { ViewNode } from "../../fs/view/view.ts";
import { directory, file, type MemoryNode, MemoryView, node } from "./memoryView.ts";

const rowsPerRun = 500;
const tree = {};

/** The name of a row, in the order of rows. */
export function rowName(row: number): string {
  return `entry-${String(row).padStart(8, "0")}`;
}

const prefix = Buffer.from("entry-");
const nameBytes = rowName(0).length;

// Inode numbers: folders from here on, files of folder F from (F + 2) * 2^32, those of a top without folders from 2^32.
const folderNumber = 2 ** 20;

class Rows implements RowSource {
  readonly top: MemoryNode = directory([]);
  readonly #folders: number;
  readonly #files: number;

  constructor(folders: number, files: number) {
    this.#folders = folders;
    this.#files = files;
  }

  isClosed(): boolean {
    return false;
  }

  directoryOf(of: ViewNode): RowDirectory | undefined {
    return of === this.top ? this.#directory(undefined) : undefined;
  }

  #directory(folder: number | undefined): RowDirectory {
    const id = Buffer.alloc(32);
    id.writeUInt32LE(folder === undefined ? 0 : folder + 1);
    return {
      tree,
      id,
      inodeLow: folder === undefined ? 2 : folderNumber + folder,
      inodeHigh: 0,
    };
  }

  run({ id }: RowDirectory, row: number): RowRun | undefined {
    const folder = Buffer.from(id).readUInt32LE() - 1;
    const rows = folder < 0 && this.#folders > 0 ? this.#folders : this.#files;
    if (row >= rows) return undefined;
    const isTop = folder < 0 && this.#folders > 0;
    const first = row - (row % rowsPerRun);
    return {
      first,
      count: Math.min(rowsPerRun, rows - first),
      nameBytes: () => nameBytes,
      copyName: (at, out, to) => {
        out.set(prefix, to);
        for (let place = nameBytes - 1, rest = at; place >= prefix.length; place--) {
          out[to + place] = 0x30 + (rest % 10);
          rest = Math.floor(rest / 10);
        }
      },
      stat: (at, out: RowStat) => {
        // What a row shows beside these is what emptyRowStat has.
        out.kind = isTop ? "directory" : "file";
        out.mode = 0o755;
        out.inodeLow = isTop ? folderNumber + at : at;
        out.inodeHigh = isTop ? 0 : folder + 2;
      },
      hasXattrs: () => false,
      directory: (at) => (isTop ? this.#directory(at) : undefined),
      node: () => (isTop ? node("directory") : file("")),
    };
  }

  find(of: RowDirectory, name: Uint8Array): FoundRow | undefined {
    const row = Number(String(name).replace("entry-", ""));
    const run = Number.isSafeInteger(row) ? this.run(of, row) : undefined;
    return run && Buffer.from(name).equals(Buffer.from(rowName(row))) ? { run, row } : undefined;
  }
}

/** `/top` with so many folders of so many empty files each; without folders the files are in `/top` itself. */
export class RowsView extends MemoryView {
  readonly rows: RowSource;

  constructor(folders: number, files: number) {
    const rows = new Rows(folders, files);
    super(directory([["top", rows.top]], { mutable: true }));
    this.rows = rows;
  }
}
