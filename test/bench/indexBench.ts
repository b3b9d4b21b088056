// Measures the chunk index on a real disk: `node test/bench/indexBench.ts --chunks 10000000 --json`.
//
// Every chunk goes the way it goes in the gateway: a look-up and an admission into the overlay, a durable flush each
// time that the overlay is full; every 40th record has 40 references. Then single look-ups (random hits, then misses),
// batched ones, and bytes on disk. `--rows-max`: rows of the overlay (the gateway has 500,000 by default); `--slice-buckets`: see overlay.ts;
// `--directory`: where the index goes (a fresh folder in /var/tmp by default).
// `--gc`: the rows are in a vault (gcVault.ts, with the gateway's overlay), with folders above those that have references, and a snapshot that
// needs half of them; at the end the vault's garbage is collected, and what is left is looked up.

import { mkdtempSync, readFileSync, rmSync, statSync } from "node:fs";
import path from "node:path";
import { performance } from "node:perf_hooks";
import { parseArgs } from "node:util";
import { ChunkIndex } from "../../gateway/index/chunkIndex.ts";
import { openIndexEnvironment } from "../../gateway/index/environment.ts";
import { IndexOverlay } from "../../gateway/index/overlay.ts";
import { PackTable } from "../../gateway/index/packTable.ts";
import { RecordType } from "../../vault/magic.ts";
import { GcVault } from "./gcVault.ts";

const { values } = parseArgs({
  options: {
    chunks: { type: "string", default: "10000000" },
    "rows-max": { type: "string", default: "1000000" },
    "slice-buckets": { type: "string", default: "2048" },
    lookups: { type: "string", default: "1000000" },
    directory: { type: "string", default: "/var/tmp" },
    gc: { type: "boolean", default: false },
    json: { type: "boolean", default: false },
  },
});
const chunks = Number(values.chunks);
const rowsMax = Number(values["rows-max"]);
const sliceBuckets = Number(values["slice-buckets"]);
const lookups = Number(values.lookups);
const recordsPerPack = 32;
const parentEvery = 40;

/** How often a collection is looked at. */
const gcSampleMs = 20;
/** Ids of folders are of numbers from here on. */
const foldersFrom = 2 ** 31;

/** The id of chunk n, without storing ids: murmur's finalizer over (n, word). */
function writeId(n: number, id: Uint32Array, at: number): void {
  for (let word = 0; word < 8; word++) {
    let mixed = Math.imul(n ^ 0x9e3779b9, 0x85ebca6b) ^ Math.imul(word + 1, 0xc2b2ae35);
    mixed = Math.imul(mixed ^ (mixed >>> 16), 0x7feb352d);
    mixed = Math.imul(mixed ^ (mixed >>> 15), 0x846ca68b);
    id[at + word] = mixed ^ (mixed >>> 16);
  }
}

function anonymousMiB(): number {
  const status = readFileSync("/proc/self/status", "utf8");
  return Math.round(Number(/RssAnon:\s+(\d+)/.exec(status)?.[1] ?? 0) / 1024);
}

const directory = mkdtempSync(path.join(values.directory, "holdfast-index-bench-"));
const vault = values.gc ? await GcVault.create(directory) : undefined;
const bare = vault === undefined ? openIndexEnvironment(directory) : undefined;
const close = (): Promise<void> => vault?.close() ?? bare!.close();
const group = vault?.group ?? 1;

/** The index by itself, or the vault's. */
function parts(): { readonly index: ChunkIndex; readonly overlay: IndexOverlay } {
  if (vault !== undefined) return vault.store;
  const index = new ChunkIndex(bare!);
  return { index, overlay: new IndexOverlay(index, new PackTable(bare!), { rowsMax, sliceBuckets }) };
}

try {
  const { index, overlay } = parts();
  const words = new Uint32Array(8);
  const id = new Uint8Array(words.buffer);
  const place = {
    pack: 0,
    offset: 0,
    length: 700_000,
    type: RecordType.data as number,
    writer: vault?.writer ?? 3,
  };
  const lastFrom = chunks - Math.min(1_000_000, chunks / 2);
  let anonymousPeak = 0;
  let lastStarted = 0;
  let flushes = 0;
  let flushSeconds = 0;
  let stallMs = 0;
  let stallFrom = 0;
  const stallTimer = setInterval(() => {
    const now = performance.now();
    stallMs = Math.max(stallMs, now - stallFrom - 1);
    stallFrom = now;
  }, 1);
  async function flush(): Promise<void> {
    const started = performance.now();
    // The loop that admits below never yields, so event-loop stalls are counted within flushes only.
    const peak = stallMs;
    await new Promise((resolve) => setTimeout(resolve, 2));
    stallFrom = performance.now();
    stallMs = 0;
    await overlay.flush();
    await new Promise((resolve) => setTimeout(resolve, 2));
    stallMs = Math.max(peak, stallMs);
    anonymousPeak = Math.max(anonymousPeak, anonymousMiB());
    flushes++;
    flushSeconds += (performance.now() - started) / 1000;
  }
  let rows = 0;
  function admit(n: number, type: number, refs?: readonly number[]): number {
    writeId(n, words, 0);
    place.type = type;
    rows++;
    return overlay.admit(group, id, place, refs).ordinal;
  }
  async function admitFolder(refs: readonly number[]): Promise<number> {
    if (overlay.full) await flush();
    return admit(foldersFrom + folders++, RecordType.directory, refs);
  }
  let folders = 0;
  let siblings: number[] = [];
  const started = performance.now();
  const cpuBefore = process.cpuUsage();
  for (let n = 0; n < chunks; n++) {
    if (n === lastFrom) {
      // What earlier chunks left in the overlay is not the last million's work.
      await flush();
      lastStarted = performance.now();
    }
    place.pack = Math.floor(n / recordsPerPack);
    place.offset = 64 + (n % recordsPerPack) * 1_000_000;
    if (n % parentEvery < parentEvery - 1) siblings.push(admit(n, RecordType.data));
    else {
      const file = admit(n, RecordType.extents, siblings);
      siblings = [];
      await vault?.addFile(file, admitFolder);
    }
    if (overlay.full) await flush();
  }
  await flush();
  const ended = performance.now();
  const insertCpu = process.cpuUsage(cpuBefore);
  clearInterval(stallTimer);

  const time = (work: () => number): { perSecond: number; found: number } => {
    const from = performance.now();
    const found = work();
    return { perSecond: Math.round(lookups / ((performance.now() - from) / 1000)), found };
  };
  const pick = (n: number): number => (Math.imul(n + 1, 0x9e3779b1) >>> 0) % chunks;
  const single = (of: (n: number) => number) => () => {
    let found = 0;
    for (let n = 0; n < lookups; n++) {
      writeId(of(n), words, 0);
      if (overlay.lookup(group, id) !== undefined) found++;
    }
    return found;
  };
  const batched = () => {
    const batch = 1000;
    const ids = new Uint32Array(8 * batch);
    let found = 0;
    for (let n = 0; n < lookups; n += batch) {
      for (let i = 0; i < batch; i++) writeId(pick(n + i), ids, i * 8);
      for (const row of overlay.lookupBatch(group, new Uint8Array(ids.buffer)))
        if (row !== undefined) found++;
    }
    return found;
  };
  time(single(pick));
  const hits = time(single(pick));
  const misses = time(single((n) => chunks + n));
  const batches = time(batched);
  if (hits.found !== lookups || misses.found !== 0 || batches.found < lookups || index.count() !== rows) {
    throw new Error(
      `wrong answers: ${hits.found}, ${misses.found}, ${batches.found} of ${lookups}, ${index.count()}`,
    );
  }
  const file = statSync(path.join(index.environment.directory, "data.mdb"));
  const result = {
    chunks,
    rowsPerFlush: Math.round(rows / flushes),
    sliceBuckets,
    insertedPerSecond: Math.round(chunks / ((ended - started) / 1000)),
    lastMillionPerSecond: Math.round((chunks - lastFrom) / ((ended - lastStarted) / 1000)),
    lookupsPerSecond: Math.min(hits.perSecond, misses.perSecond),
    lookupHitsPerSecond: hits.perSecond,
    lookupMissesPerSecond: misses.perSecond,
    lookupBatchedPerSecond: batches.perSecond,
    bytesPerChunk: Math.round((file.blocks * 512 * 10) / chunks) / 10,
    insertCpuSecondsPerMillion: Math.round(((insertCpu.user + insertCpu.system) / chunks) * 100) / 100,
    flushes,
    flushSecondsMean: Math.round((flushSeconds / flushes) * 1000) / 1000,
    stallMsMax: Math.round(stallMs),
    anonymousMiBPeak: anonymousPeak,
  };
  if (vault !== undefined) Object.assign(result, await collected(vault));
  if (values.json) console.log(JSON.stringify(result));
  else console.table(result);
  /** Has the vault's garbage collected, and looks whether what is gone is what nothing needed. */
  async function collected(vault: GcVault): Promise<Record<string, number>> {
    await vault.enterPacks(Math.ceil(chunks / recordsPerPack), recordsPerPack, 23_000_000);
    await vault.commit(admitFolder, async (refs) => {
      await admitFolder(refs);
      return Buffer.from(id);
    });
    let peakMiB = 0;
    let heldMs = 0;
    let sampledMs = performance.now();
    const sampler = setInterval(() => {
      const nowMs = performance.now();
      heldMs = Math.max(heldMs, nowMs - sampledMs - gcSampleMs);
      sampledMs = nowMs;
      peakMiB = Math.max(peakMiB, anonymousMiB());
    }, gcSampleMs);
    const { found, seconds, phaseSeconds } = await vault.collect();
    clearInterval(sampler);
    for (let n = 0; n < lookups; n++) {
      const chunk = pick(n);
      writeId(chunk, words, 0);
      const isHere = overlay.lookup(group, id) !== undefined;
      if (isHere !== vault.isNeeded(Math.floor(chunk / parentEvery))) {
        throw new Error(`chunk ${chunk} is ${isHere ? "here" : "gone"} after garbage collection`);
      }
    }
    const { marking = 0, counting = 0, sweeping = 0 } = phaseSeconds;
    return {
      gcSeconds: seconds,
      gcMarkingSeconds: marking,
      gcCountingSeconds: counting,
      gcSweepingSeconds: sweeping,
      gcRefs: found.refs,
      gcRowsRemoved: found.records,
      markedRefsPerSecond: Math.round(found.refs / marking),
      gcAnonymousBytesPeak: peakMiB * 2 ** 20,
      gcHeldSecondsMax: heldMs / 1000,
    };
  }
} finally {
  await close();
  rmSync(directory, { recursive: true, force: true });
}
