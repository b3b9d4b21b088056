import { defineConfig } from "vitest/config";
import { nodeFlags } from "./appliance/nodeFlags.ts";

// Native add-ons (lmdb, koffi) are not safe to load in worker threads that come and go, so every
// project runs in child processes. Files that start real programs, mounts and listeners come after the pure ones.
const rooms = [
  "vault",
  "ingest",
  "agent",
  "gateway",
  "fs",
  "appliance",
  "reference",
  "fidelity",
  "fuzz",
  "sim",
];

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
      {
        extends: true,
        test: {
          name: "unit",
          include: [...rooms.map((room) => `test/${room}/**/*.test.ts`), "test/{tidy,supplyChain}.test.ts"],
          maxWorkers: "100%",
          sequence: { groupOrder: 0 },
          testTimeout: 60_000,
          hookTimeout: 60_000,
        },
      },
      programs("e2e", 300_000),
      programs("offsite", 600_000),
      programs("faults", 600_000),
      programs("bench", 600_000),
    ],
  },
});
