// What the tests of backup runs share: a fresh folder, cache and gateway for each test, and bytes to put into files.

import { mkdirSync, mkdtempSync, realpathSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeEach } from "vitest";
import { runBackup } from "../../../agent/backup/backup.ts";
import type { BackupContext, BackupOutcome, BackupRequest } from "../../../agent/backup/request.ts";
import { noLimits } from "../../../agent/source/portion.ts";
import { resolveTopPaths } from "../../../agent/source/topPaths.ts";
import "./compileCache.ts";
import { MemoryGateway, testDevice, testKeys } from "./memoryGateway.ts";

export type RunOptions = {
  readonly signal?: AbortSignal;
  readonly gateway?: MemoryGateway;
  readonly group?: number;
  readonly host?: string;
  readonly readBackOneIn?: number;
  readonly progress?: BackupContext["progress"];
  /** How far the machine's clock is ahead: files are then no longer so young that they are read again in any case. */
  readonly aheadMs?: number;
};

export class BackupFixture {
  source = "";
  cachePath = "";
  gateway = new MemoryGateway();
  warnings: string[] = [];

  /** Backs the source up, unless the changes name other paths. */
  run(changes: Partial<BackupRequest> = {}, options: RunOptions = {}): Promise<BackupOutcome> {
    return runBackup(
      {
        paths: changes.paths ?? resolveTopPaths([this.source]),
        item: "files",
        rules: {},
        rescan: false,
        reference: true,
        oneFileSystem: false,
        excludeCaches: false,
        chunker: "fastcdc-1",
        limits: noLimits,
        ...changes,
      },
      {
        session: (options.gateway ?? this.gateway).session(options.group),
        keys: testKeys,
        device: testDevice,
        agentVersion: "test",
        host: options.host ?? "host",
        cachePath: this.cachePath,
        readBackOneIn: options.readBackOneIn,
        nowMs: () => Date.now() + (options.aheadMs ?? 0),
        signal: options.signal ?? new AbortController().signal,
        warn: (path, what) => this.warnings.push(`${Buffer.from(path).toString()}: ${what}`),
        progress: options.progress ?? (() => undefined),
      },
    );
  }

  /** Small files in seven folders. */
  smallTree(files: number): void {
    for (let index = 0; index < files; index++) {
      const folder = join(this.source, `d${index % 7}`);
      mkdirSync(folder, { recursive: true });
      writeFileSync(join(folder, `f${index}`), noise((index * 977) % 9000, index + 1));
    }
  }
}

/** A fixture that is new for each test of the file; everything goes in the end. */
export function backupFixture(): BackupFixture {
  const scratch = realpathSync(mkdtempSync(join(tmpdir(), "holdfast-backup-")));
  afterAll(() => rmSync(scratch, { recursive: true, force: true }));
  const fixture = new BackupFixture();
  let counter = 0;
  beforeEach(() => {
    const base = join(scratch, `t${counter++}`);
    fixture.source = join(base, "source");
    fixture.cachePath = join(base, "cache.pages");
    mkdirSync(fixture.source, { recursive: true });
    fixture.gateway = new MemoryGateway();
    fixture.warnings = [];
  });
  return fixture;
}

/** Deterministic bytes that neither compress away nor repeat. */
export function noise(length: number, seed: number): Buffer {
  const bytes = Buffer.allocUnsafe(length);
  let state = seed >>> 0 || 1;
  for (let at = 0; at < length; at++) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    bytes[at] = state >>> 24;
  }
  return bytes;
}

/** Gives a file a time long ago. */
export function old(path: string): void {
  utimesSync(path, 1_600_000_000, 1_600_000_000);
}
