// Backs up its first argument with its cache at the second, to a gateway that acknowledges everything and keeps
// nothing, so that the memory of this process is the agent's own. Prints the outcome as one JSON line.

import { runBackup } from "../../agent/backup/backup.ts";
import { noLimits } from "../../agent/source/portion.ts";
import { resolveTopPaths } from "../../agent/source/topPaths.ts";
import { createBitmap } from "../../ingest/wire/bitmap.ts";
import { testDevice, testKeys } from "../agent/backup/memoryGateway.ts";

const [source, cachePath] = process.argv.slice(2);
if (source === undefined || cachePath === undefined) throw new Error("which folder, which cache?");

const outcome = await runBackup(
  {
    paths: resolveTopPaths([source]),
    item: "files",
    rules: {},
    rescan: false,
    reference: true,
    oneFileSystem: false,
    excludeCaches: false,
    limits: noLimits,
    chunker: "fastcdc-1",
  },
  {
    session: {
      group: 0,
      itemId: "ee".repeat(16),
      head: null,
      sequence: 0,
      cacheToken: "",
      empty: true,
      whole: async (ids) => ids.map(() => true),
      have: async (ids) => createBitmap(ids.length),
      records: async (records) => ({ statuses: new Uint8Array(records.length), missing: [] }),
      read: async (ids) => ids.map(() => undefined),
      suspect: async () => [],
      gatewayId: async () => undefined,
      snapshotObject: () => Promise.reject(new Error("there is no snapshot")),
      newestSnapshots: async () => [],
      remember: () => undefined,
      commit: async () => ({ snapshot: "00".repeat(32), received: "2026-01-01T00:00:00Z" }),
    },
    keys: testKeys,
    device: testDevice,
    agentVersion: "test",
    host: "host",
    cachePath,
    nowMs: Date.now,
    signal: new AbortController().signal,
    warn: (path, what) => process.stderr.write(`${Buffer.from(path).toString("latin1")}: ${what}\n`),
    progress: () => undefined,
  },
);
process.stdout.write(`${JSON.stringify(outcome)}\n`);
