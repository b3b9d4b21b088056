// What a restore did so far: its figures, notes and progress.

import type { ErrorCode } from "../../vault/errors.ts";
import { pathToText } from "../../vault/pathText.ts";
import type { RestoreAction, RestoreNote, RestoreOptions, RestoreResult } from "./restoreTypes.ts";
import { childPath } from "./targetDirectories.ts";

const filesPerReport = 64;
const bytesPerReport = 2 ** 20;

export class RunCounts {
  files = 0;
  directories = 0;
  others = 0;
  bytes = 0;
  reused = 0;
  kept = 0;
  deleted = 0;
  #warnings = 0;
  #errors = 0;
  #filesDone = 0;
  #filesTotal = 0;
  #bytesTotal = 0;
  #single = false;
  #toldFiles = 0;
  #toldBytes = 0;
  readonly #options: RestoreOptions;
  readonly #snapshotPath: Buffer;

  /** @param snapshotPath what the target stands for */
  constructor(options: RestoreOptions, snapshotPath: Buffer) {
    this.#options = options;
    this.#snapshotPath = snapshotPath;
  }

  setTotals(files: number, bytes: number): void {
    this.#filesTotal = files;
    this.#bytesTotal = bytes;
  }

  /** The snapshot path names the one file that is restored, not its folder. */
  setSingle(): void {
    this.#single = true;
  }

  /** Files that are done, and bytes that nothing was reported for yet. */
  addFiles(files: number, bytes: number): void {
    this.#filesDone += files;
    this.addBytes(bytes);
  }

  addBytes(bytes: number): void {
    this.bytes += bytes;
    // Telling of every small file would cost more than some of them do.
    const done = this.#filesDone >= this.#filesTotal;
    const few =
      this.#filesDone - this.#toldFiles < filesPerReport && this.bytes - this.#toldBytes < bytesPerReport;
    if (few && !done) return;
    this.#toldFiles = this.#filesDone;
    this.#toldBytes = this.bytes;
    this.#options.onProgress?.({
      phase: "restore",
      filesDone: this.#filesDone,
      filesTotal: this.#filesTotal,
      bytesDone: this.bytes,
      bytesTotal: this.#bytesTotal,
    });
  }

  note(level: RestoreNote["level"], path: Buffer, code: ErrorCode, message: string): void {
    if (level === "error") this.#errors += 1;
    if (level === "warning") this.#warnings += 1;
    const whole = this.#single ? this.#snapshotPath : childPath(this.#snapshotPath, path);
    this.#options.onNote?.({ level, path: `/${pathToText(whole)}`, code, message });
  }

  action(action: RestoreAction["action"], path: Buffer): void {
    this.#options.onAction?.({ action, path: pathToText(path) });
  }

  result(fetcher: { readonly fetchedBytes: number; readonly fetchedRecords: number }): RestoreResult {
    return {
      files: this.files,
      directories: this.directories,
      others: this.others,
      bytes: this.bytes,
      reused: this.reused,
      kept: this.kept,
      deleted: this.deleted,
      fetchedBytes: fetcher.fetchedBytes,
      fetchedRecords: fetcher.fetchedRecords,
      warnings: this.#warnings,
      errors: this.#errors,
    };
  }
}
