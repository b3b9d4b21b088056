// `--large`: memory must not grow with the backup, and the index must hold its speed.

import { mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { prepareManyFiles, prepareSparseFile } from "../corpus/large.ts";
import { BenchFailure } from "../failure.ts";
import { prepareCaches } from "../measure/caches.ts";
import { measure } from "../measure/programs.ts";
import { PeerName } from "../peers/peer.ts";
import type { LargeScale } from "../scale.ts";
import { type Context, narrated } from "./context.ts";

const INDEX_BENCH = fileURLToPath(new URL("../indexBench.ts", import.meta.url));

/** Field of indexBench.ts's last line to the row it fills. */
const indexFields = {
  insertedPerSecond: "index-inserted",
  lastMillionPerSecond: "index-last-million",
  lookupsPerSecond: "index-lookups",
  bytesPerChunk: "index-bytes",
} as const;

/** One run of the three large cases. Each backup case has repositories of its own. */
export async function largeRun(context: Context, scale: LargeScale, seed: string): Promise<void> {
  const dir = join(context.dir, "large");
  const files = await narrated(context.say, `making ${scale.files} files`, async () =>
    prepareManyFiles(dir, scale, seed),
  );
  await backupTwice(context, "many", files);
  const sparse = await narrated(context.say, "making the sparse file", async () =>
    prepareSparseFile(dir, scale, seed),
  );
  await backupTwice(context, "sparse", sparse);
  await indexCase(context, scale);
}

async function backupTwice(context: Context, row: string, source: string): Promise<void> {
  for (const peer of context.peers) {
    const dir = join(context.dir, "run", peer.name);
    rmSync(dir, { recursive: true, force: true });
    const repository = await peer.create(dir);
    try {
      for (const step of ["first", "unchanged"]) {
        prepareCaches(context.caches, []);
        await narrated(context.say, `${row} ${step}, ${peer.name}`, async () => {
          const backup = await repository.backup(source);
          context.samples.addStep(`${row}-${step}`, peer.name, backup.step);
          const stored = { added_bytes: backup.addedBytes, stored_bytes: repository.storedBytes() };
          context.samples.addReported(`${row}-${step}`, peer.name, { ...stored, ...backup.reported });
        });
      }
    } finally {
      await repository.close();
    }
    rmSync(dir, { recursive: true, force: true });
  }
}

// The index is measured by a program of its own, without any agent or network in the way.
async function indexCase(context: Context, scale: LargeScale): Promise<void> {
  const dir = join(context.dir, "run", "index");
  mkdirSync(dir, { recursive: true });
  const step = await narrated(context.say, `index of ${scale.indexChunks} chunks`, () =>
    measure({
      command: process.execPath,
      args: [INDEX_BENCH, "--chunks", String(scale.indexChunks), "--directory", dir, "--json"],
      role: "index",
    }),
  );
  const result = JSON.parse(step.stdout.trim().split("\n").at(-1) ?? "") as Record<string, unknown>;
  for (const [field, row] of Object.entries(indexFields)) {
    const value = result[field];
    if (typeof value !== "number") throw new BenchFailure(`indexBench.ts printed no number as ${field}`);
    context.samples.add(row, PeerName.holdfast, value);
  }
  context.samples.addUsage("index", PeerName.holdfast, step);
  rmSync(dir, { recursive: true, force: true });
}
