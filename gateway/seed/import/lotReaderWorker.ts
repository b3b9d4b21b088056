// Worker thread of lotReader.ts: reads one pack after the other.

import { hash } from "node:crypto";
import { closeSync, constants, fstatSync, openSync, readSync } from "node:fs";
import { parentPort } from "node:worker_threads";
import { asBuffer } from "../../../vault/bytes.ts";
import { isHoldfastError } from "../../../vault/errors.ts";
import { Width } from "../../../vault/magic.ts";
import { recordBytesMin } from "../../../vault/pack/frame.ts";
import type { TrailerRow } from "../../../vault/pack/trailer.ts";
import type { SeedPackRow } from "../../../vault/seed/packList.ts";
import { closedPackPath } from "../../store/packPaths.ts";
import type { LotAnswer, LotRequest } from "./lotReader.ts";
import { checkedContents } from "./packChecks.ts";
import { PlacesMaker } from "./packedPlaces.ts";

function readLot({ ticket, folder, packs, epochMax }: LotRequest): LotAnswer {
  const bytes = Buffer.allocUnsafeSlow(packs.reduce((sum, pack) => sum + pack.bytes, 0));
  const right = new Uint8Array(packs.length);
  const claimed = packs.reduce((sum, pack) => sum + pack.records, 0);
  const recordsMax = Math.min(claimed, Math.floor(bytes.length / recordBytesMin));
  const places = new PlacesMaker(recordsMax);
  const hashes = Buffer.allocUnsafeSlow(recordsMax * Width.recordHash);
  let [at, hashed] = [0, 0];
  for (const [i, pack] of packs.entries()) {
    const start = at;
    const own = bytes.subarray(start, start + pack.bytes);
    at += pack.bytes;
    const rows = rowsOf(pack, own, closedPackPath(folder, asBuffer(pack.name)), epochMax);
    if (rows === undefined) continue;
    right[i] = 1;
    places.add(rows, start);
    for (const { offset, length } of rows) {
      hash("sha256", own.subarray(offset, offset + length), "buffer").copy(
        hashes,
        hashed,
        0,
        Width.recordHash,
      );
      hashed += Width.recordHash;
    }
  }
  return { ticket, bytes, right, places: places.finish(), hashes: hashes.subarray(0, hashed) };
}

/** Reads a pack into its room; undefined for one that is not there as it should be. */
function rowsOf(
  pack: SeedPackRow,
  into: Buffer,
  path: string,
  epochMax: number,
): readonly TrailerRow[] | undefined {
  if (!isReadWhole(path, into) || !hash("sha256", into, "buffer").equals(pack.name)) return undefined;
  try {
    return checkedContents(pack, into, epochMax).rows;
  } catch (error) {
    if (isHoldfastError(error)) return undefined;
    throw error;
  }
}

/** Why one is not there, or no pack inside, is for who reads it alone to say. */
function isReadWhole(path: string, into: Buffer): boolean {
  let fd: number | undefined;
  try {
    // Not to wait for a writer, where somebody put a pipe under the name.
    fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
    const stats = fstatSync(fd);
    if (!stats.isFile() || stats.size !== into.length) return false;
    for (let filled = 0; filled < into.length; ) {
      const read = readSync(fd, into, filled, into.length - filled, filled);
      if (read === 0) return false;
      filled += read;
    }
    return true;
  } catch {
    return false;
  } finally {
    if (fd !== undefined) closeSync(fd);
  }
}

parentPort?.on("message", (request: LotRequest) => {
  const answer = readLot(request);
  const parts = [answer.bytes, answer.hashes, answer.places.words];
  parentPort?.postMessage(
    answer,
    parts.map(({ buffer }) => buffer as ArrayBuffer),
  );
});
