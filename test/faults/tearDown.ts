// What a fault test has started or set up, to be undone also when the test fails or its process is told to end.
//
// Invariant: something is in the list from before it can exist until after it is gone. Undoing is synchronous, because it
// must also work from an "exit" handler.

import { spawnSync } from "node:child_process";

type Undo = () => void;

const undos = new Set<Undo>();
let watching = false;

/** Undoes everything that is still there, the newest first. */
export function tearDownAll(): void {
  for (const undo of [...undos].reverse()) {
    try {
      undo();
    } catch (error) {
      process.stderr.write(`tear-down: ${(error as Error).message}\n`);
    }
  }
  undos.clear();
}

/** Puts something under watch; returns the function that takes it out again without undoing it. */
export function onTearDown(undo: Undo): () => void {
  undos.add(undo);
  if (!watching) {
    watching = true;
    process.on("exit", tearDownAll);
    for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
      process.on(signal, () => {
        tearDownAll();
        process.exit(1);
      });
    }
  }
  return () => undos.delete(undo);
}

/** Runs an outside program to its end; fails unless its status is 0. Returns its stdout. */
export function runTool(program: string, ...args: string[]): string {
  const result = spawnSync(program, args, { encoding: "utf8" });
  if (result.error !== undefined) throw new Error(`${program} did not start: ${result.error.message}`);
  if (result.status !== 0) throw new Error(`${program} ${args.join(" ")}: ${result.stderr}`);
  return result.stdout.trim();
}

export function pauseSync(milliseconds: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, milliseconds);
}
