// A folder in memory for tests of the gateway's modules. They write through to the disk thousands of times, a millisecond each: a third of
// their time. What a killed process leaves is the same in memory. Tests that run the program, and those of agents and drives, stay on the disk.

import { mkdtempSync, statfsSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** Names the folder, for the tests' processes. */
export const memoryVariable = "HOLDFAST_TEST_MEMORY";

/** Names the usual folder, where that is not what `tmpdir` says. */
export const diskVariable = "HOLDFAST_TEST_DISK";

/** Where folders are on the disk in any test: for what asks the kernel of its page cache. */
export const diskFolder = (): string => process.env[diskVariable] ?? tmpdir();

const shared = "/dev/shm";
const tmpfsMagic = 0x01021994;
/** They take up to 1 GiB; a container may have 64 MiB there. */
const freeBytesMin = 4 * 1024 ** 3;

/** Makes it; undefined where there is no such place, or little room. */
export function makeMemoryFolder(): string | undefined {
  try {
    const { type, bavail, bsize } = statfsSync(shared);
    if (type !== tmpfsMagic || bavail * bsize < freeBytesMin) return undefined;
    return mkdtempSync(join(shared, "holdfast-test-"));
  } catch {
    return undefined;
  }
}
