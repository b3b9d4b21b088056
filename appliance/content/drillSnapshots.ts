// A restore drill: random files of random snapshots are read as a restore reads them and hashed; nothing is written anywhere.

import type { SnapshotTree } from "../../agent/inspect/snapshotTree.ts";
import { isDamage } from "../../fs/view/damage.ts";
import type { Drill, DrillProgress, DrillWish, HurtFile } from "../../gateway/maintenance/vaultContent.ts";
import { FileHasher } from "../../vault/fileHash.ts";
import type { VaultKeys } from "../../vault/keys/vaultKeys.ts";
import { pathToText } from "../../vault/pathText.ts";
import { type DrawnFile, drawFile, SeededNumbers } from "./draw.ts";

export type DrillPort = {
  /** Ids of snapshots that are whole as far as is known, 64 hex digits. */
  readonly snapshots: readonly string[];
  /** @throws HoldfastError chunk-missing, chunk-damaged, seal-invalid, corrupt */
  readonly open: (id: string) => Promise<SnapshotTree>;
  readonly keys: VaultKeys;
  readonly onProgress: (progress: DrillProgress) => void;
  readonly signal: AbortSignal;
};

/** Draws for each file that is wanted, so that a vault of empty folders ends too. */
const drawsPerFile = 8;
const pieceBytes = 4 * 2 ** 20;

/** @throws HoldfastError replica-unreachable, io-error, cancelled */
export async function drillSnapshots(port: DrillPort, { files, bytes, seed }: DrillWish): Promise<Drill> {
  const numbers = new SeededNumbers(seed);
  const wrong: HurtFile[] = [];
  const done = { right: 0, partly: 0, readBytes: 0 };
  const trees = new Map<string, SnapshotTree>();
  if (port.snapshots.length === 0) return { ...done, wrong };
  for (let draws = 0; draws < files * drawsPerFile; draws++) {
    port.signal.throwIfAborted();
    if (done.right + done.partly + wrong.length >= files || done.readBytes >= bytes) break;
    const snapshot = port.snapshots[numbers.below(port.snapshots.length)] as string;
    let path = "/";
    try {
      const tree = trees.get(snapshot) ?? (await port.open(snapshot));
      // Each has caches of its own: one is kept.
      trees.clear();
      trees.set(snapshot, tree);
      const file = await drawFile(tree, numbers, port.signal);
      if (file === undefined) continue;
      path = pathToText(file.path);
      const readMax = bytes - done.readBytes;
      const told = (read: number): void =>
        port.onProgress({
          files: done.right + done.partly + wrong.length,
          filesTotal: files,
          bytes: done.readBytes + read,
          bytesTotal: bytes,
        });
      const { read, outcome } = await readFile(port, tree, file, readMax, numbers, told);
      done.readBytes += read;
      if (outcome === "wrong")
        wrong.push({ snapshot, path, why: "its bytes have another hash than when it was backed up" });
      else done[outcome]++;
    } catch (error) {
      port.signal.throwIfAborted();
      if (!isDamage(error)) throw error;
      wrong.push({ snapshot, path, why: error.message });
    }
  }
  return { ...done, wrong };
}

/** Reads a file whole and compares its hash; of one that is larger than what may be read, a part: records prove themselves. */
async function readFile(
  { keys, signal }: DrillPort,
  { content }: SnapshotTree,
  { entry }: DrawnFile,
  readMax: number,
  numbers: SeededNumbers,
  told: (read: number) => void,
): Promise<{ read: number; outcome: "right" | "partly" | "wrong" }> {
  const size = entry.size ?? 0;
  const isWhole = size <= readMax;
  const start = isWhole ? 0 : numbers.below(size - readMax);
  const end = isWhole ? size : start + readMax;
  const hasher = isWhole ? new FileHasher(keys.fileHashKey) : undefined;
  for (let at = start; at < end; ) {
    const piece = await content.read(entry.content, size, at, Math.min(pieceBytes, end - at), signal);
    hasher?.update(piece);
    at += piece.length;
    told(at - start);
  }
  if (hasher === undefined) return { read: end - start, outcome: "partly" };
  const hash = hasher.digest();
  const isRight = hash !== undefined && entry.fileHash?.equals(hash) === true;
  return { read: size, outcome: isRight ? "right" : "wrong" };
}
