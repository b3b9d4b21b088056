import { defineConfig } from "vitest/config";
import { nodeFlags } from "./appliance/nodeFlags.ts";
import { ProjectTurns } from "./test/projectTurns.ts";

// Native add-ons (lmdb, koffi) are not safe to load in worker threads that come and go, so every
// project runs in child processes. Files that start real programs, mounts and listeners come after the pure ones.
const rooms = [
  "vault",
  "ingest",
  "reference",
  "agent",
  "gateway",
  "fs",
  "appliance",
  "fidelity",
  "fuzz",
  "sim",
];
/** The one file that replaces a module of Node's, for which it needs a process of its own. */
const mocking = "test/gateway/upgrade/upgrade.test.ts";

/**
 * A process that runs one file after the other has a heap of hundreds of MB, and tests make and drop buffers: V8 would collect all of it for each
 * 64 MiB of them, a third of the processor time.
 */
const collectLess = ["--heap-growing-percent=200", "--external-memory-accounted-in-global-limit"];

const filesOf = (names: readonly string[]) => names.map((room) => `test/${room}/**/*.test.ts`);

/** `isolate`: each file in a process of its own; else a process runs one after the other, which spares each its start and imports. */
function units(name: string, include: string[], exclude: string[], isolate: boolean) {
  return {
    extends: true as const,
    test: {
      ...{ name, include, exclude, isolate },
      maxWorkers: "100%",
      sequence: { groupOrder: 0 },
      testTimeout: 60_000,
      hookTimeout: 60_000,
    },
  };
}

/**
 * A project whose files start real programs and then often wait, for servers, disks and pauses between tries: three side by side keep two
 * processors busy, and none asks how long anything takes.
 */
function programs(name: string, testTimeout: number) {
  return {
    extends: true as const,
    test: {
      name,
      include: [`test/${name}/**/*.test.ts`],
      maxWorkers: 3,
      sequence: { groupOrder: 1 },
      testTimeout,
      hookTimeout: testTimeout,
    },
  };
}

export default defineConfig({
  test: {
    pool: "forks",
    execArgv: [...nodeFlags, ...collectLess],
    environment: "node",
    setupFiles: ["test/ownProcess.ts"],
    watch: false,
    // What is waited for may take its time beside other work: a limit ends what hangs, and says nothing of speed.
    expect: { poll: { timeout: 40_000 } },
    sequence: { sequencer: ProjectTurns },
    projects: [
      units("unit", [...filesOf(rooms), "test/{tidy,supplyChain}.test.ts"], [mocking], false),
      units("mocking", [mocking], [], true),
      programs("e2e", 300_000),
      programs("offsite", 600_000),
      programs("faults", 600_000),
      programs("bench", 600_000),
    ],
  },
});
