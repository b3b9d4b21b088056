import { defineConfig } from "vitest/config";

// Native add-ons (lmdb, koffi) are not safe to load in worker threads that come and go, so every
// project runs in child processes. Files that start real processes, mounts and listeners run one
// after the other; the pure ones run side by side.
const rooms = ["vault", "ingest", "agent", "gateway", "fs", "appliance", "reference"];

export default defineConfig({
  test: {
    pool: "forks",
    environment: "node",
    watch: false,
    passWithNoTests: true,
    projects: [
      {
        extends: true,
        test: {
          name: "unit",
          include: [...rooms.map((room) => `test/${room}/**/*.test.ts`), "test/tidy.test.ts"],
          testTimeout: 60_000,
          hookTimeout: 60_000,
        },
      },
      {
        extends: true,
        test: {
          name: "e2e",
          include: ["test/e2e/**/*.test.ts"],
          fileParallelism: false,
          testTimeout: 300_000,
          hookTimeout: 120_000,
        },
      },
      {
        extends: true,
        test: {
          name: "faults",
          include: ["test/faults/**/*.test.ts"],
          fileParallelism: false,
          testTimeout: 600_000,
          hookTimeout: 120_000,
        },
      },
      {
        extends: true,
        test: {
          name: "bench",
          include: ["test/bench/**/*.test.ts"],
          fileParallelism: false,
          testTimeout: 300_000,
          hookTimeout: 120_000,
        },
      },
    ],
  },
});
