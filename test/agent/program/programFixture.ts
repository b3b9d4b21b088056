// Backups of programs to a gateway in memory, and what is looked up afterwards.

import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import type { BackupOutcome } from "../../../agent/backup/request.ts";
import { contentBytes, fileAt } from "../../../agent/inspect/listTree.ts";
import { openTree, type SnapshotTree } from "../../../agent/inspect/snapshotTree.ts";
import type { ProgramRequest } from "../../../agent/program/programTree.ts";
import { openSnapshot } from "../../../vault/snapshot.ts";
import type { BackupFixture, RunOptions } from "../backup/backupFixture.ts";
import { testKeys } from "../backup/memoryGateway.ts";

export const outputPath = [Buffer.from("out.bin")];

export function backUpProgram(
  fx: BackupFixture,
  command: string,
  more: Partial<ProgramRequest> = {},
  options: RunOptions = {},
): Promise<BackupOutcome> {
  const program: ProgramRequest = {
    command,
    name: outputPath[0] as Buffer,
    limits: { timeoutMs: undefined, idleMs: undefined },
    bytesMax: undefined,
    keepFailed: false,
    environment: process.env,
    ...more,
  };
  const paths = [{ path: Buffer.concat([Buffer.from("/"), program.name]), resolvedFrom: undefined }];
  return fx.run({ program, paths, reference: false, chunker: "auto-1" }, options);
}

/** The snapshot that the gateway has as the newest. */
export function newestTree(fx: BackupFixture): SnapshotTree {
  const { header, body } = openSnapshot(testKeys, fx.gateway.snapshots.get(fx.gateway.head ?? "") as Buffer);
  return openTree(fx.gateway.source, { keys: testKeys, header, body });
}

/** All that the program wrote. */
export async function output(fx: BackupFixture): Promise<Buffer> {
  const tree = newestTree(fx);
  const pieces: Buffer[] = [];
  for await (const piece of contentBytes(tree, await fileAt(tree, outputPath)))
    pieces.push(Buffer.from(piece));
  return Buffer.concat(pieces);
}

/** Waits for the process whose id a command wrote into a file to be gone. */
export async function gone(pidFile: string): Promise<void> {
  const pid = readFileSync(pidFile, "utf8").trim();
  while (existsSync(join("/proc", pid)) && !/^State:\s+Z/m.test(statusOf(pid))) await pause(20);
}

function statusOf(pid: string): string {
  try {
    return readFileSync(join("/proc", pid, "status"), "utf8");
  } catch {
    return "State: Z";
  }
}
