// Appends to the audit log (docs/security.md, "Audit log").
//
// Invariants
// - One writer: the process that holds the data directory's lock. Lines get sequence and chain in the order in which they were noted.
// - `record` ends after the line, and all before it, are durable; `note` returns at once, and its line is written within `gatherMs`.
// - What is in a file is never changed or cut. Behind bytes that are no whole line a new file begins; what a failed write left is cut off, and
//   written again at its place with the same lines and more (in place alone it might not come to the disk: store/copyOpenPack.ts).
// - A log that cannot be written stops nobody: lines wait, `waitingMax` at most, what is beyond is counted, and both are told.
// - The folder is looked at with the first line: who only asks the gateway something pays nothing.

import { constants } from "node:fs";
import { join } from "node:path";
import {
  closeDescriptor,
  fdatasync,
  fileError,
  ftruncate,
  makeFolderDurably,
  openDescriptor,
  syncDirectory,
  writeFully,
} from "../store/files.ts";
import { auditFileName } from "./auditFiles.ts";
import { type AuditHead, encodeLine, type LineSeal, nextLine, noHead } from "./entry.ts";
import type { AuditFacts } from "./events.ts";
import { findHead } from "./findHead.ts";

export type AuditLogOptions = {
  readonly folder: string;
  /** Of a box. */
  readonly seal: LineSeal | undefined;
  readonly now: () => Date;
  readonly written?: () => void;
  /** Told when the log cannot be written, each time that it is tried. */
  readonly warn: (error: unknown, waiting: number) => void;
  /** For tests. */
  readonly fileBytesMax?: number;
  readonly waitingMax?: number;
};

type Waiting = { readonly time: string; readonly facts: AuditFacts; readonly done?: () => void };

const fileBytesMaxDefault = 8 * 2 ** 20;
const waitingMaxDefault = 10_000;
const gatherMs = 500;
const retryMs = 5_000;
/** Lines of one write. */
const batchMax = 1000;

export class AuditLog {
  readonly #options: AuditLogOptions;
  #waiting: Waiting[] = [];
  #lost = 0;
  #head: AuditHead | undefined;
  /** Where the next line goes. */
  #place = { number: 1, bytes: 0 };
  #file: { readonly fd: number; readonly path: string } | undefined;
  /** Of the last write to `#file`. */
  #writeFailed = false;
  #writing: Promise<void> | undefined;
  #timer: NodeJS.Timeout | undefined;
  #closed = false;

  constructor(options: AuditLogOptions) {
    this.#options = options;
  }

  /** The newest line that is durable; undefined before the first was written by this process. */
  get head(): AuditHead | undefined {
    return this.#head;
  }

  /** Notes an event. It is durable within a second, where the disk is well. */
  note(facts: AuditFacts): void {
    this.#take({ time: this.#options.now().toISOString(), facts });
    if (this.#timer === undefined && this.#writing === undefined) {
      this.#timer = setTimeout(() => this.#write(), gatherMs).unref();
    }
  }

  /** Notes an event, and waits until it is durable, or until it is known that the log cannot be written now: the line is kept for later. */
  record(facts: AuditFacts): Promise<void> {
    return new Promise((done) => {
      this.#take({ time: this.#options.now().toISOString(), facts, done });
      this.#write();
    });
  }

  #take(line: Waiting): void {
    const { waitingMax = waitingMaxDefault } = this.#options;
    if (!this.#closed && this.#waiting.length < waitingMax) this.#waiting.push(line);
    else {
      this.#lost++;
      line.done?.();
    }
  }

  /** Everything that was noted by now is durable, or known not to be. */
  async flush(): Promise<void> {
    while (this.#waiting.length > 0 && this.#writing === undefined) this.#write();
    await this.#writing;
  }

  #write(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#writing ??= this.#writeAll().then(() => {
      this.#writing = undefined;
      // What came between its last look and now.
      if (this.#waiting.length > 0 && this.#timer === undefined && !this.#closed) this.#write();
    });
  }

  /** Never throws. */
  async #writeAll(): Promise<void> {
    while (this.#waiting.length > 0 || this.#lost > 0) {
      try {
        await this.#writeBatch();
      } catch (error) {
        this.#options.warn(error, this.#waiting.length);
        for (const { done } of this.#waiting) done?.();
        if (!this.#closed) this.#timer = setTimeout(() => this.#write(), retryMs).unref();
        return;
      }
    }
  }

  async #writeBatch(): Promise<void> {
    const { seal } = this.#options;
    let head = this.#head ?? (await this.#begin());
    const file = await this.#openFile();
    const batch = this.#waiting.slice(0, batchMax);
    const lost = this.#lost;
    const lines: Buffer[] = [];
    const add = (time: string, facts: AuditFacts): void => {
      const line = nextLine(head, time, facts);
      lines.push(encodeLine(line.text, seal), lineFeed);
      head = line.head;
    };
    for (const { time, facts } of batch) add(time, facts);
    if (lost > 0) add(this.#options.now().toISOString(), ofLog("log.lost", "failed", { events: lost }));
    try {
      if (this.#writeFailed) await ftruncate(file.fd, this.#place.bytes);
      this.#writeFailed = true;
      await writeFully(file.fd, lines, this.#place.bytes);
      await fdatasync(file.fd);
      this.#writeFailed = false;
    } catch (error) {
      throw fileError(error, file.path);
    }
    this.#place.bytes += lines.reduce((sum, line) => sum + line.length, 0);
    this.#head = head;
    this.#lost -= lost;
    this.#waiting = this.#waiting.slice(batch.length);
    for (const { done } of batch) done?.();
    this.#options.written?.();
  }

  /** Finds where the log goes on. What has to be said of that goes before what waits. */
  async #begin(): Promise<AuditHead> {
    const { folder, seal, now } = this.#options;
    await makeFolderDurably(folder);
    const found = await findHead(folder, seal);
    const time = now().toISOString();
    const first: Waiting[] = [];
    if (found.head.sequence === noHead.sequence) first.push({ time, facts: ofLog("log.begun", "done", {}) });
    if (found.broken.length > 0) {
      first.push({ time, facts: ofLog("log.recovered", "done", { broken: found.broken }) });
    }
    this.#place =
      found.broken.length > 0
        ? { number: found.file + 1, bytes: 0 }
        : { number: Math.max(1, found.file), bytes: found.bytes };
    this.#waiting = [...first, ...this.#waiting];
    this.#head = found.head;
    return found.head;
  }

  async #openFile(): Promise<{ readonly fd: number; readonly path: string }> {
    const { folder, fileBytesMax = fileBytesMaxDefault } = this.#options;
    if (this.#place.bytes >= fileBytesMax) {
      const full = this.#file;
      this.#file = undefined;
      this.#place = { number: this.#place.number + 1, bytes: 0 };
      if (full !== undefined) await closeDescriptor(full.fd);
    }
    if (this.#file !== undefined) return this.#file;
    const path = join(folder, auditFileName(this.#place.number));
    try {
      const fd = await openDescriptor(path, constants.O_WRONLY | constants.O_CREAT, 0o600);
      this.#file = { fd, path };
      await syncDirectory(folder);
      return this.#file;
    } catch (error) {
      throw fileError(error, path);
    }
  }

  /** Writes what waits, and ends. */
  async close(): Promise<void> {
    await this.flush();
    this.#closed = true;
    clearTimeout(this.#timer);
    if (this.#file !== undefined) await closeDescriptor(this.#file.fd);
    this.#file = undefined;
  }
}

const lineFeed = Buffer.from("\n");

function ofLog(
  event: AuditFacts["event"],
  outcome: AuditFacts["outcome"],
  subject: AuditFacts["subject"],
): AuditFacts {
  return { event, outcome, actor: { kind: "gateway" }, subject };
}
