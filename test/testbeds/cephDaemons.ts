// The processes of a Ceph test bed in a folder, for whoever must end them without waiting: from an "exit" handler, or after a killed run.
//
// Invariant: a process is taken for the test bed's only by its own CEPH_CONF, or as the script that was given the folder.

import { readdirSync, readFileSync } from "node:fs";

const roundMs = 20;

/** Kills every process of the test bed in `folder` and returns when none is left; five seconds of patience. */
export function endCeph(folder: string): void {
  for (let waitedMs = 0; waitedMs < 5_000; waitedMs += roundMs) {
    const pids = processesOf(folder);
    if (pids.length === 0) return;
    for (const pid of pids) kill(pid);
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, roundMs);
  }
}

function processesOf(folder: string): number[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid)
    .filter((pid) => {
      const texts = (name: string): string[] => readIfThere(`/proc/${pid}/${name}`).split("\0");
      return texts("environ").includes(`CEPH_CONF=${folder}/c`) || isScript(texts("cmdline"), folder);
    })
    .map(Number);
}

function isScript([, script = "", given]: readonly string[], folder: string): boolean {
  return script.endsWith("/rgw-up.sh") && given === folder;
}

/** Nothing of one that is gone, a zombie, or another user's. */
function readIfThere(path: string): string {
  try {
    return readFileSync(path, "latin1");
  } catch {
    return "";
  }
}

function kill(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
  }
}
