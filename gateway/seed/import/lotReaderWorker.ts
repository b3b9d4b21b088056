// Worker thread of lotReader.ts: reads one pack after the other.

import { hash } from "node:crypto";
import { closeSync, constants, fstatSync, openSync, readSync } from "node:fs";
import { parentPort } from "node:worker_threads";
import { asBuffer } from "../../../vault/bytes.ts";
import { isHoldfastError } from "../../../vault/errors.ts";
import type { SeedPackRow } from "../../../vault/seed/packList.ts";
import { closedPackPath } from "../../store/packPaths.ts";
import type { LotAnswer, LotRequest } from "./lotReader.ts";
import { checkedContents } from "./packChecks.ts";

function readLot({ ticket, folder, packs, epochMax }: LotRequest): LotAnswer {
  const bytes = Buffer.allocUnsafeSlow(packs.reduce((sum, pack) => sum + pack.bytes, 0));
  const right = new Uint8Array(packs.length);
  let at = 0;
  for (const [i, pack] of packs.entries()) {
    const into = bytes.subarray(at, at + pack.bytes);
    at += pack.bytes;
    if (!isReadWhole(closedPackPath(folder, asBuffer(pack.name)), into)) continue;
    if (hash("sha256", into, "buffer").equals(pack.name) && isSound(pack, into, epochMax)) right[i] = 1;
  }
  return { ticket, bytes, right };
}

function isSound(pack: SeedPackRow, bytes: Buffer, epochMax: number): boolean {
  try {
    checkedContents(pack, bytes, epochMax);
    return true;
  } catch (error) {
    if (isHoldfastError(error)) return false;
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
  parentPort?.postMessage(answer, [answer.bytes.buffer as ArrayBuffer]);
});
