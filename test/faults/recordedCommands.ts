// Commands that run on a disk whose every write and flush is logged, and what they told.

import { cpSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { createLoggedDisk, type Journal } from "./loopDisk.ts";
import type { RecordedDisk } from "./powerCut.ts";
import { eventsOf, Program, type RunOptions } from "./program.ts";
import { runTool } from "./tearDown.ts";
import { flushedEntries, readWriteLog } from "./writeLog.ts";

const diskMiB = 128;

/** The last event of a command's `--json`. */
export type Done = Readonly<Record<string, unknown>>;
/** What a command said at its end, and how many entries of the log were flushed by then. */
export type Told = { readonly flushed: number; readonly done: Done };
export type RecordedCommands = RecordedDisk & { readonly told: readonly Told[] };
/** Runs a command to its end, with exit status 0 or the one that is given. */
export type Telling = (args: readonly string[], options?: RunOptions, status?: number) => Promise<void>;

/** Runs commands on a copy of a folder, which is `data` on a disk of its own, made in the folder `scratch`. */
export async function recordCommands(
  scratch: string,
  folder: string,
  work: (data: string, tell: Telling) => Promise<void>,
  journal: Journal,
): Promise<RecordedCommands> {
  const disk = await createLoggedDisk(scratch, diskMiB, journal);
  const data = join(disk.folder, "data");
  cpSync(folder, data, { recursive: true });
  runTool("sync", "--file-system", disk.folder);
  const created = flushedEntries(disk.log);
  const told: Told[] = [];
  await work(data, async (args, options, status = 0) => {
    const program = new Program([...args, "--json"], options);
    while (program.running && !program.stdout.includes('"event":"done"')) await sleep(1);
    // A little late at most, so that nothing is asked for too early.
    const flushed = flushedEntries(disk.log);
    const ran = await program.ended;
    const words = `${args.join(" ")}: status ${ran.status}\n${ran.stdout}${ran.stderr}`;
    if (ran.status !== status) throw new Error(words);
    told.push({ flushed, done: eventsOf(ran).at(-1)! });
  });
  disk.unmount();
  return { log: readWriteLog(disk.log), diskMiB, journal, created, told };
}
