// How much of the machine this process takes beside others: for processors and for disks.
//
// On Linux both belong to threads: each is set by itself, and those that are made later have what the thread has that makes them. So this
// comes first, before there are worker threads.

import { readdirSync } from "node:fs";
import { constants, setPriority } from "node:os";
import { canLockFiles } from "./fileLock.ts";
import { allocateBlock, loadLibc } from "./libc.ts";
import { lastErrno } from "./notedErrno.ts";
import { SystemError } from "./systemError.ts";

const SCHED_IDLE = 5;
const IOPRIO_WHO_PROCESS = 1;
const IOPRIO_CLASS_IDLE = 3 << 13;
const ESRCH = 3;
const [schedSetscheduler, ioprioSet] = process.arch === "arm64" ? [119, 30] : [144, 251];

/**
 * Sets the priority of all threads of this process to low: niceness 19, the scheduler's idle class, and the idle class of I/O. It cannot be
 * taken back.
 * @throws SystemError where the system refuses (a sandbox may)
 */
export function lowerPriority(): void {
  if (!canLockFiles()) {
    setPriority(constants.priority.PRIORITY_LOW);
    return;
  }
  const { syscall } = loadLibc();
  const parameters = allocateBlock(4);
  const check = (result: number, call: string): void => {
    // A thread that has ended meanwhile.
    if (result === 0 || lastErrno() === ESRCH) return;
    throw new SystemError(lastErrno(), call, Buffer.from("this process"));
  };
  const done = new Set<string>();
  for (let found = true; found; ) {
    found = false;
    for (const thread of readdirSync("/proc/self/task")) {
      if (done.has(thread)) continue;
      done.add(thread);
      found = true;
      const id = Number(thread);
      setNiceness(id);
      check(syscall(schedSetscheduler, id, SCHED_IDLE, parameters.address, 0, 0, 0), "sched_setscheduler");
      check(syscall(ioprioSet, IOPRIO_WHO_PROCESS, id, IOPRIO_CLASS_IDLE, 0, 0, 0), "ioprio_set");
    }
  }
}

/** What setpriority(2) takes for a process is a thread. */
function setNiceness(thread: number): void {
  try {
    setPriority(thread, constants.priority.PRIORITY_LOW);
  } catch (error) {
    if ((error as { info?: { code?: string } }).info?.code !== "ESRCH") throw error;
  }
}
