// The tests' own processes, some of which run one file after the other: their memory, and where their files have folders.
//
// What test/run.sh tells the C library of them, the programs that they start do not hear: they run as they do where they are installed.
// A process is copied by its pages for each program that it starts, 25 ms a gigabyte: of what many files left behind some is given back.

import { join } from "node:path";
import { afterAll, expect } from "vitest";
import { diskFolder, diskVariable, memoryVariable } from "./memoryFolder.ts";

delete process.env.GLIBC_TUNABLES;

const disk = diskFolder();
process.env[diskVariable] = disk;
const isOfGateway = expect.getState().testPath?.startsWith(join(import.meta.dirname, "gateway", "/"));
process.env.TMPDIR = (isOfGateway ? process.env[memoryVariable] : undefined) ?? disk;

const residentBytesMax = 1024 * 1024 * 1024;

afterAll(async () => {
  if (process.memoryUsage.rss() < residentBytesMax) return;
  // Few files need it: most processes run one alone.
  const { mallocTrim } = await import("../appliance/drive/driveLull.ts");
  mallocTrim()?.(0);
});
