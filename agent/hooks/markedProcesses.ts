// Processes of a hook, wherever they went: each inherits the environment variable that names the hook's run. Between its fork and its exec
// a process has it not yet, but holds the files of the agent then, the lock of the state directory among them.

import { readdirSync, readFileSync } from "node:fs";
import { setTimeout as pause } from "node:timers/promises";

export const markVariable = "HOLDFAST_HOOK";

/** A process may be starting another while we look. */
const roundsMax = 100;
const pauseMs = 50;

/** Kills all processes with this mark; resolves when there is none, or none that can be ended. Where there is no /proc nothing is found. */
export async function killMarked(mark: string): Promise<void> {
  for (let round = 0; round < roundsMax; round++) {
    const pids = markedProcesses(mark);
    if (pids.length === 0) return;
    for (const pid of pids) {
      try {
        process.kill(pid, "SIGKILL");
      } catch {
        // It has gone.
      }
    }
    await pause(pauseMs);
  }
}

function markedProcesses(mark: string): number[] {
  const sought = `${markVariable}=${mark}`;
  return processes().filter((pid) => pid !== process.pid && environmentOf(pid).split("\0").includes(sought));
}

function processes(): number[] {
  try {
    return readdirSync("/proc")
      .filter((name) => /^\d+$/.test(name))
      .map(Number);
  } catch {
    return [];
  }
}

/** Empty of one that has ended, or belongs to somebody else. */
function environmentOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/environ`, "latin1");
  } catch {
    return "";
  }
}
