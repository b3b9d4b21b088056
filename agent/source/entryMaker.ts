// Makes the entries of files and of everything else but folders, by what the walk saw and the readers found.

import { asBuffer } from "../../vault/bytes.ts";
import { limits } from "../../vault/limits.ts";
import { type ChunkRef, type EntryDraft, EntryKind, type XattrsOf } from "../../vault/tree/entry.ts";
import { emptyRowStat } from "../../vault/tree/entryReader.ts";
import { encodeXattrs } from "../../vault/tree/xattrs.ts";
import type { Handle, Xattr } from "../platform/port.ts";
import { STAT_ROW_BYTES, StatTable } from "../platform/statTable.ts";
import { describeSystemError } from "../platform/systemError.ts";
import type { Slot } from "./directoryBuild.ts";
import { DeviceNumbers, draftOf, kindOf } from "./entryDraft.ts";
import { type FileBefore, fileBefore, hasChanged, isFile } from "./fileBefore.ts";
import { changeMark, type FileRead } from "./fileIntake.ts";
import { HardLinks } from "./hardLinks.ts";
import { KeptLinks } from "./keptLinks.ts";
import { MovedContent } from "./movedContent.ts";
import type { PreviousRow } from "./previousTree.ts";
import { SameAsBefore } from "./sameAsBefore.ts";
import { countFile, type Folder, joinPath, type WalkCounts, type WalkOptions } from "./walk.ts";

const noXattrs: XattrsOf<ChunkRef> = { form: "none" };

export class EntryMaker {
  readonly #options: WalkOptions;
  readonly #counts: WalkCounts;
  readonly #devices: DeviceNumbers;
  readonly moved: MovedContent;
  readonly same: SameAsBefore;
  readonly #links = new HardLinks();
  readonly #kept: KeptLinks | undefined;
  readonly #scratch = new StatTable(1);
  readonly #old = emptyRowStat();

  constructor(options: WalkOptions, counts: WalkCounts) {
    this.#options = options;
    this.#counts = counts;
    this.moved = new MovedContent(options.move);
    this.same = new SameAsBefore(options);
    this.#devices = new DeviceNumbers(options.firstDevice);
    this.#kept = options.previous?.incomplete === true ? new KeptLinks() : undefined;
  }

  /** Takes the number of a row's file system from the base, where nothing told it yet. */
  learnDevice(table: StatTable, row: number, old: PreviousRow | undefined): void {
    const device = table.device(row);
    if (old === undefined || this.#devices.knows(device)) return;
    const { inode, device: number } = old.page.entry(old.row);
    if (inode === table.inode(row)) this.#devices.learn(device, number);
  }

  /** Adds the old row of a file where nothing changed; false where that is not so, or it is no file. */
  keeps(at: Folder, table: StatTable, row: number, old: PreviousRow): boolean {
    if (table.errno(row) !== 0 || kindOf(table, row) !== EntryKind.file) return false;
    const stat = old.page.statAt(old.row, this.#old);
    if (stat.kind !== EntryKind.file || !this.same.file(table, row, stat) || this.moved.moves(old))
      return false;
    const size = table.size(row);
    countFile(this.#counts, size, true);
    old.fileBytes = size;
    at.build.add(old);
    if (table.linkCount(row) > 1)
      this.#kept?.keep(linkOf(table, row), table, row, () => old.page.draft(old.row));
    return true;
  }

  /**
   * Adds a file: the old row where nothing changed, else what the intake reads, unless the portion is full. "wait": whether it is depends
   * on what is being read now; nothing was done, and it is to be called again after the portion's next settlement.
   */
  file(
    at: Folder,
    nameView: Buffer,
    table: StatTable,
    row: number,
    old: PreviousRow | undefined,
    hint: PreviousRow | undefined,
  ): "wait" | undefined {
    if (old !== undefined && this.keeps(at, table, row, old)) return;
    const wasFile = old !== undefined && isFile(old);
    const size = table.size(row);
    const device = table.device(row);
    const linked = table.linkCount(row) > 1 ? linkOf(table, row) : undefined;
    if (size > limits.fileBytesMax) {
      this.#options.warn(joinPath(at.path, nameView), "file over 8 PiB; left out");
      return;
    }
    this.learnDevice(table, row, old);
    const name = Buffer.from(nameView);
    const base = (): EntryDraft => {
      const number = this.#devices.of(device);
      return draftOf(this.#options.platform, table, row, name, EntryKind.file, number, noXattrs);
    };
    const was = fileBefore(old);
    if (linked !== undefined && this.#joins(at, linked, table, row, base, was)) return;
    const { portion, previous } = this.#options;
    const answer = portion.ask(size);
    if (answer === "wait") return "wait";
    if (answer === "leave") {
      portion.leave(size, () => joinPath(at.path, name));
      return;
    }
    const slot = at.build.announce();
    const draft = base();
    // Of a series of portions a file is new in one of them; what changes all the time must not keep the others out for ever.
    const isNew = previous?.incomplete !== true || !wasFile;
    portion.take(size, isNew);
    if (old !== undefined && this.same.isRenumbered(table, row, old.page.statAt(old.row, this.#old)))
      this.#counts.renumbered += 1;
    if (linked !== undefined) this.#links.start(linked, table.linkCount(row));
    // Where there is a reference, what is said of content's places is checked, so that one tree's word is enough.
    const said = this.#options.reference === undefined ? old : hint;
    const before =
      said !== undefined && isFile(said) && !this.moved.moves(said) ? said.page.draft(said.row) : undefined;
    this.#options.intake.take(
      {
        directory: at.directory,
        path: at.path,
        name,
        uid: draft.uid,
        size,
        mark: changeMark(table, row),
        previous:
          before?.fileHash === undefined || before.content === undefined
            ? undefined
            : { hash: before.fileHash, content: before.content },
      },
      (read) => {
        portion.settle(size, isNew, read.outcome.failed === undefined);
        this.#finishFile(at, slot, draft, read, true, was);
        if (linked !== undefined) this.#links.settle(linked, read);
      },
    );
    return;
  }

  /** Whether another name of the file gives this one its content. */
  #joins(
    at: Folder,
    linked: string,
    table: StatTable,
    row: number,
    base: () => EntryDraft,
    was: FileBefore,
  ): boolean {
    const kept = this.#kept?.find(linked, table, row);
    if (kept !== undefined) {
      countFile(this.#counts, table.size(row), was !== undefined);
      at.build.add({ ...base(), ...kept });
      return true;
    }
    if (!this.#links.has(linked)) return false;
    const slot = at.build.announce();
    const draft = base();
    return this.#links.join(linked, (read) => this.#finishFile(at, slot, draft, read, false, was));
  }

  #finishFile(
    at: Folder,
    slot: Slot,
    base: EntryDraft,
    read: FileRead,
    first: boolean,
    was: FileBefore,
  ): void {
    const { outcome, content } = read;
    const path = (): Buffer => joinPath(at.path, base.name);
    if (outcome.failed !== undefined) {
      this.#options.warn(path(), outcome.failed);
      at.build.resolve(slot, "dropped");
      return;
    }
    if (outcome.changed !== undefined && first) this.#options.warn(path(), outcome.changed);
    if (outcome.xattrsFailed !== undefined && first) this.#warnOfXattrs(path(), outcome.xattrsFailed);
    if (first) {
      this.#counts.filesRead += 1;
      this.#counts.bytesRead += outcome.size;
    }
    countFile(this.#counts, outcome.size, was !== undefined);
    if (hasChanged(was, outcome.fileHash)) this.#counts.changed += 1;
    const current = outcome.row === undefined ? base : this.#redraft(base, outcome.row);
    const xattrs = outcome.xattrs.length === 0 ? noXattrs : this.#xattrs(outcome.xattrs.map(owned), path);
    const { size, fileHash } = outcome;
    const hasContent = size > 0 && fileHash !== undefined && content !== undefined;
    const draft: EntryDraft = hasContent
      ? { ...current, xattrs, size, fileHash: asBuffer(fileHash), content }
      : { ...current, xattrs, size };
    at.build.resolve(slot, draft);
  }

  /** The entry by the attributes that the file had when it was opened. */
  #redraft(base: EntryDraft, bytes: Uint8Array): EntryDraft {
    const table = this.#scratch;
    table.rows.set(bytes.subarray(0, STAT_ROW_BYTES), 0);
    return draftOf(this.#options.platform, table, 0, base.name, EntryKind.file, base.device, noXattrs);
  }

  #warnOfXattrs(path: Buffer, reason: string): void {
    this.#options.warn(path, `extended attributes cannot be read: ${reason}`);
  }

  /** Adds a link, FIFO, socket or device. */
  other(
    at: Folder,
    nameView: Buffer,
    table: StatTable,
    row: number,
    old: PreviousRow | undefined,
    kind: EntryKind,
  ): void {
    const { platform, warn } = this.#options;
    this.learnDevice(table, row, old);
    if (old !== undefined) {
      const stat = old.page.statAt(old.row, this.#old);
      if (stat.kind === kind && this.same.other(table, row, stat) && !this.moved.lacksAttributes(old)) {
        this.#counts.others += 1;
        at.build.add(old);
        return;
      }
    }
    const name = Buffer.from(nameView);
    const path = joinPath(at.path, name);
    let target: Buffer | undefined;
    try {
      if (kind === EntryKind.symlink) target = platform.readLink(at.directory.handle, name);
    } catch (error) {
      warn(path, describeSystemError(error));
      return;
    }
    this.#counts.others += 1;
    const base = this.draft(at, at.directory.handle, name, name, path, table, row, kind);
    const isDevice = kind === EntryKind.characterDevice || kind === EntryKind.blockDevice;
    at.build.add({
      ...base,
      ...(target === undefined ? {} : { target }),
      ...(isDevice ? { major: table.deviceMajor(row), minor: table.deviceMinor(row) } : {}),
    });
  }

  /** An entry without what only its kind has; `handle` and `handleName` name the object for its attributes. */
  draft(
    at: Folder,
    handle: Handle | undefined,
    handleName: Uint8Array,
    name: Buffer,
    path: Buffer,
    table: StatTable,
    row: number,
    kind: EntryKind,
  ): EntryDraft {
    const { platform } = this.#options;
    let list: readonly Xattr[] = [];
    try {
      list = platform.xattrs(handle ?? at.directory.handle, handle === undefined ? name : handleName);
    } catch (error) {
      this.#warnOfXattrs(path, describeSystemError(error));
    }
    const device = this.#devices.of(table.device(row));
    return draftOf(
      platform,
      table,
      row,
      name,
      kind,
      device,
      this.#xattrs(list, () => path),
    );
  }

  #xattrs(list: readonly Xattr[], path: () => Buffer): XattrsOf<ChunkRef> {
    if (list.length === 0) return noXattrs;
    try {
      const encoded = encodeXattrs(list);
      if (encoded.length <= limits.inlineXattrBytesMax) return { form: "inline", list };
      return { form: "record", id: this.#options.emitXattrs(encoded), plainLength: encoded.length };
    } catch (error) {
      this.#options.warn(path(), `extended attributes left out: ${describeSystemError(error)}`);
      return { form: "none" };
    }
  }
}

/** What tells a file that has several names from others. */
function linkOf(table: StatTable, row: number): string {
  return `${table.device(row)}:${table.inode(row)}`;
}

/** Attributes that came in a message are plain Uint8Arrays. */
function owned(xattr: Xattr): Xattr {
  return { name: Buffer.from(xattr.name), value: Buffer.from(xattr.value) };
}
