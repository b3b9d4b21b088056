// Archives written to files, and the outside programs that read them.

import { spawnSync } from "node:child_process";
import { createWriteStream, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { onTestFinished } from "vitest";
import { archive } from "../../../fs/archive/archive.ts";
import type { ArchiveNote, ArchiveOptions } from "../../../fs/archive/archiveTypes.ts";
import { canRun } from "../../faults/requirements.ts";
import { type MemoryNode, MemoryView } from "../memoryView.ts";

export const toolsReady = canRun("archives and the programs that read them", "tar", "bsdtar", "unzip", "7z");

/** An empty folder, removed with the test. */
export function archiveFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "holdfast-archive-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** Writes the archive of a tree to a file. */
export async function writeArchive(
  file: string,
  node: MemoryNode,
  options: ArchiveOptions,
): Promise<{ readonly bytes: number; readonly notes: ArchiveNote[] }> {
  const notes: ArchiveNote[] = [];
  let bytes = 0;
  const source = archive(new MemoryView(node), node, { ...options, onNote: (note) => notes.push(note) });
  const counted = async function* (): AsyncGenerator<Buffer, void, void> {
    for await (const piece of source) {
      bytes += piece.length;
      yield piece;
    }
  };
  await pipeline(Readable.from(counted()), createWriteStream(file));
  return { bytes, notes };
}

/** All of it in memory. */
export async function archiveInMemory(node: MemoryNode, options: ArchiveOptions): Promise<Buffer> {
  const pieces: Buffer[] = [];
  for await (const piece of archive(new MemoryView(node), node, options)) pieces.push(piece);
  return Buffer.concat(pieces);
}

/** Runs a program; gives its status and all it said. */
export function runTool(
  program: string,
  args: readonly string[],
  options: { readonly folder?: string; readonly input?: Uint8Array } = {},
): { readonly status: number | null; readonly output: string } {
  const { status, stdout, stderr, error } = spawnSync(program, args, {
    cwd: options.folder,
    input: options.input,
    maxBuffer: 2 ** 28,
    env: { ...process.env, LC_ALL: "C.UTF-8", TZ: "UTC" },
  });
  if (error !== undefined) throw error;
  return { status, output: stdout.toString("latin1") + stderr.toString("latin1") };
}

/** Runs a line of Python, which must succeed; the arguments are in sys.argv[1:]. */
export function python(program: string, ...args: string[]): string {
  const { status, output } = runTool("/usr/bin/python3", ["-c", program, ...args]);
  if (status !== 0) throw new Error(output);
  return output.trim();
}
