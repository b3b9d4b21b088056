import { defineConfig } from "vitest/config";
import { nodeFlags } from "./appliance/nodeFlags.ts";

// Native add-ons (lmdb, koffi) are not safe to load in worker threads that come and go, so every
// project runs in child processes. Files that start real programs, mounts and listeners come after the pure ones.
const rooms = ["agent", "gateway", "fs", "appliance", "fidelity", "fuzz", "sim"];
/** Of these a process runs one file after the other, which spares each its start: they keep nothing, and mock no modules. */
const pureRooms = ["vault", "ingest", "reference"];

const filesOf = (names: readonly string[]) => names.map((room) => `test/${room}/**/*.test.ts`);

/** `isolate`: each file in a process of its own. */
function units(name: string, include: string[], isolate: boolean) {
  return {
    extends: true as const,
    test: {
      ...{ name, include, isolate },
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
      hookTimeout: 120_000,
    },
  };
}

export default defineConfig({
  test: {
    pool: "forks",
    execArgv: [...nodeFlags],
    environment: "node",
    watch: false,
    projects: [
      units("pure", filesOf(pureRooms), false),
      units("unit", [...filesOf(rooms), "test/{tidy,supplyChain}.test.ts"], true),
      programs("e2e", 300_000),
      programs("offsite", 600_000),
      programs("faults", 600_000),
      programs("bench", 600_000),
    ],
  },
});
