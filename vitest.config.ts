import { defineConfig } from "vitest/config";

// Native add-ons (lmdb, koffi) are not safe to load in worker threads that come and go, so every
// project runs in child processes. Files that start real processes, mounts and listeners run one
// after the other, and after the pure ones, which run side by side.
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
 * A project whose files have the machine to themselves, one at a time, or `workers` of them. Those of e2e and offsite mostly start programs
 * and wait, for servers, disks and pauses between tries: two side by side take little longer than one.
 */
function sequential(name: string, folder: string, order: number, testTimeout: number, workers = 1) {
  return {
    extends: true as const,
    test: {
      name,
      include: [`test/${folder}/**/*.test.ts`],
      maxWorkers: workers,
      sequence: { groupOrder: order },
      testTimeout,
      hookTimeout: 120_000,
    },
  };
}

export default defineConfig({
  test: {
    pool: "forks",
    // As bin/holdfast has it, which says why.
    execArgv: ["--no-memory-protection-keys", "--no-maglev"],
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
      sequential("e2e", "e2e", 1, 300_000, 2),
      sequential("offsite", "offsite", 2, 600_000, 2),
      sequential("faults", "faults", 3, 600_000),
      sequential("bench", "bench", 4, 300_000),
    ],
  },
});
