// `--large`: memory must not grow with the backup, and the index must hold its speed.

import { rmSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { type FlatFolder, prepareFlatFolder } from "../corpus/flat.ts";
import { prepareManyFiles, prepareSparseFile } from "../corpus/large.ts";
import { BenchFailure } from "../failure.ts";
import { prepareCaches } from "../measure/caches.ts";
import { measure } from "../measure/programs.ts";
import { holdfast } from "../peers/holdfast.ts";
import { type HoldfastRepository, PeerName } from "../peers/peer.ts";
import { seededRandom } from "../random.ts";
import type { LargeScale } from "../scale.ts";
import { type Context, narrated } from "./context.ts";
import { type DriveCase, driveOf, onFreshMount } from "./drive.ts";
import { measureIndex } from "./indexCase.ts";
import { measureListing } from "./webdav.ts";

const FIRST_READS = fileURLToPath(new URL("../readers/firstReads.ts", import.meta.url));
/** Files whose first byte is read, the first of them on a drive that was never looked at. */
const FIRST_BYTES = 20;

/** Field of indexBench.ts's last line to the row it fills. */
const indexFields = {
  insertedPerSecond: "index-inserted",
  lastMillionPerSecond: "index-last-million",
  lookupsPerSecond: "index-lookups",
  bytesPerChunk: "index-bytes",
} as const;

/** One run of the large cases. Each backup case has repositories of its own. */
export async function largeRun(context: Context, scale: LargeScale, seed: string): Promise<void> {
  const dir = join(context.dir, "large");
  const files = await narrated(context.say, `making ${scale.files} files`, async () =>
    prepareManyFiles(dir, scale, seed),
  );
  const flat = prepareFlatFolder(dir, scale.flatFiles);
  await backupTwice(context, "many", files, (repository) =>
    manyShown(context, { repository, files, flat, scale, seed }),
  );
  const sparse = await narrated(context.say, "making the sparse file", async () =>
    prepareSparseFile(dir, scale, seed),
  );
  await backupTwice(context, "sparse", sparse);
  await measureIndex(context, scale.indexChunks, indexFields);
}

async function backupTwice(
  context: Context,
  row: string,
  source: string,
  andThen: (repository: HoldfastRepository) => Promise<void> = async () => {},
): Promise<void> {
  for (const peer of context.peers) {
    const dir = join(context.dir, "run", peer.name);
    rmSync(dir, { recursive: true, force: true });
    const own = peer.name === PeerName.holdfast ? await holdfast.create(dir) : undefined;
    const repository = own ?? (await peer.create(dir));
    try {
      for (const step of ["first", "unchanged"]) {
        prepareCaches(context.caches, [], context.dir);
        await narrated(context.say, `${row} ${step}, ${peer.name}`, async () => {
          const backup = await repository.backup(source);
          context.samples.addStep(`${row}-${step}`, peer.name, backup.step);
          const stored = { added_bytes: backup.addedBytes, stored_bytes: repository.storedBytes() };
          context.samples.addReported(`${row}-${step}`, peer.name, { ...stored, ...backup.reported });
        });
      }
      if (own !== undefined) await andThen(own);
    } finally {
      await repository.close();
    }
    rmSync(dir, { recursive: true, force: true });
  }
}

type Many = {
  readonly repository: HoldfastRepository;
  readonly files: string;
  readonly flat: FlatFolder;
  readonly scale: LargeScale;
  readonly seed: string;
};

/** Very many files on a drive that was just mounted: the first byte of some of them, and a long folder. */
async function manyShown(context: Context, { repository, files, flat, scale, seed }: Many): Promise<void> {
  const { samples } = context;
  const drive = (source: string): DriveCase =>
    driveOf({ name: PeerName.holdfast, repository, dir: join(context.dir, "run") }, source);
  const random = seededRandom(`${seed}/first-byte`);
  await onFreshMount(context, drive(files), async ({ root }, services) => {
    const chosen = Array.from({ length: FIRST_BYTES }, () => {
      const at = random.integer(scale.files);
      return join(root, `folder-${Math.floor(at / scale.filesPerFolder)}`, `file-${at}.txt`);
    });
    const step = await measure(
      { command: process.execPath, args: [FIRST_READS, ...chosen], role: "reader" },
      services,
    );
    const { slowest } = JSON.parse(step.stdout) as { slowest: number };
    samples.add("first-byte", PeerName.holdfast, slowest);
    samples.addUsage("first-byte", PeerName.holdfast, step);
  });
  await repository.backup(flat.path);
  await onFreshMount(context, drive(flat.path), async ({ root }, services) => {
    const list = { command: "sh", args: ["-c", 'ls -l "$1" | wc -l', "sh", root], role: "reader" };
    const step = await measure(list, services);
    if (Number(step.stdout) !== flat.entries + 1) throw new BenchFailure(`ls shows ${step.stdout} lines`);
    samples.addStep("long-listing", PeerName.holdfast, step);
  });
  await measureListing(context, "long-propfind", repository, flat);
}
