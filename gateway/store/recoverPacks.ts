// Brings a vault's open packs back after a stop or crash (docs/format.md, section 7.4).
//
// Invariants
// - Nothing that was acknowledged is dropped: a pack is cut only behind its last record that is known or admitted here.
// - A record is admitted only when all records that it refers to are, or are promised by a box: data first, then metadata in the order of writing. What
//   is not admitted was never acknowledged; it is in no trailer, so a rebuild does not bring it back either.
// - Nothing counts before it is on disk: a process that was killed between write and fdatasync leaves whole frames in the page
//   cache alone, which read like any other and go with the power. A pack with anything that the index does not speak for yet is
//   copied to a new file before its frames are read (copyOpenPack.ts).
// - Frames up to a pack's covered mark are in LMDB already and are not admitted again.

import {
  closeSync,
  constants,
  existsSync,
  fstatSync,
  fsyncSync,
  ftruncateSync,
  openSync,
  readSync,
} from "node:fs";
import { mkdir, rm } from "node:fs/promises";
import { PackKind, Width } from "../../vault/magic.ts";
import { recoverFrames } from "../../vault/pack/recover.ts";
import type { TrailerRow } from "../../vault/pack/trailer.ts";
import type { RunningSha256, Sha256Engine } from "../../vault/sha256.ts";
import type { IndexOverlay } from "../index/overlay.ts";
import type { PackRow } from "../index/packTable.ts";
import type { PromisedRecords } from "../seed/promisedRecords.ts";
import { copyOpenPack } from "./copyOpenPack.ts";
import { fileError } from "./files.ts";
import { type NamesPort, readPackHeader, refuseLostIndex, settleNames } from "./openNames.ts";
import { OpenPack } from "./openPack.ts";
import { openFolder, openPackPath } from "./packPaths.ts";

/** Without the packs: whoever kept those would keep their rows long after they were closed. */
export type RecoveryCounts = {
  /** Records that were brought back into the index. */
  readonly admitted: number;
  /** Records that were found and refer to records that are not here: never acknowledged. */
  readonly refused: number;
  /** Ordinals of open packs whose file is missing although the index speaks for records in them. */
  readonly missing: readonly number[];
};

export type RecoveryReport = RecoveryCounts & {
  /** Packs to go on with, at most one of a kind. */
  readonly resumed: readonly OpenPack[];
  /** Packs that are to be closed. */
  readonly full: readonly OpenPack[];
};

export type RecoveryPort = NamesPort & {
  readonly overlay: IndexOverlay;
  /** What boxes promised: records may have been acknowledged that rest on it. */
  readonly promised: Pick<PromisedRecords, "rely">;
  readonly writerOrdinal: (device: Uint8Array) => number;
  readonly sha256: Sha256Engine;
  /** Of the store: a pack that it would not write to is to be closed. */
  readonly packBytesTarget: number | undefined;
};

/** Read at a time. */
const pieceBytes = 2 ** 20;

type Found = { readonly row: TrailerRow; readonly refs: Buffer; admitted: boolean };
type Scan = {
  readonly pack: PackRow;
  readonly path: string;
  readonly fd: number;
  readonly size: number;
  readonly found: Found[];
};

/**
 * Scans all open packs, admits what is in them, cuts torn ends and finishes renames.
 * @throws HoldfastError io-error, disk-full; data-dir-invalid when the index of a vault with packs is gone
 */
export async function recoverPacks(port: RecoveryPort): Promise<RecoveryReport> {
  const { directory, packs } = port;
  await mkdir(openFolder(directory), { recursive: true, mode: 0o700 });
  refuseLostIndex(port);
  await settleNames(port);
  const missing: number[] = [];
  const scans: Scan[] = [];
  try {
    for (const pack of packs.openPacks()) {
      const path = openPackPath(directory, pack.ordinal);
      if (existsSync(path)) scans.push(scanPack(pack, path));
      else if (pack.coveredBytes > 0) missing.push(pack.ordinal);
      else packs.remove(pack.ordinal);
    }
    if (missing.length > 0) port.report("open-packs-missing", { packs: missing });
    return { ...(await recoverScanned(scans, port)), missing };
  } catch (error) {
    // It is tried again as long as somebody asks: nothing may be left open each time.
    for (const { fd } of scans) closeSync(fd);
    throw error;
  }
}

/** What is in these packs, in the order of the invariants. Closes only the files that it takes out of `scans`. */
async function recoverScanned(scans: Scan[], port: RecoveryPort): Promise<Omit<RecoveryReport, "missing">> {
  const counts = { admitted: 0, refused: 0 };
  for (const kind of ["data", "meta"] as const) {
    for (const scan of scans) if (scan.pack.kind === kind) await admitFound(scan, port, counts);
  }
  const resumed: OpenPack[] = [];
  const full: OpenPack[] = [];
  const found = scans.length;
  for (const scan of scans.toReversed()) {
    const restored = await restore(scan, port);
    if (restored === undefined) {
      scans.splice(scans.indexOf(scan), 1);
      closeSync(scan.fd);
      continue;
    }
    const { pack, whole } = restored;
    const taken = resumed.some((other) => other.kind === pack.kind);
    if (whole && !taken && !pack.isFull(port.packBytesTarget)) resumed.push(pack);
    else full.unshift(pack);
  }
  if (found > 0) port.report("recovered", { packs: found, ...counts });
  return { resumed, full, ...counts };
}

function scanPack(pack: PackRow, path: string): Scan {
  let fd: number | undefined;
  try {
    fd = openSync(path, constants.O_RDWR);
    const { size } = fstatSync(fd);
    if (size > pack.coveredBytes) fd = copyOpenPack(fd, path);
    const from = fd;
    const read = (offset: number, length: number): Buffer => {
      const bytes = Buffer.allocUnsafe(length);
      return bytes.subarray(0, readSync(from, bytes, 0, length, offset));
    };
    const found: Found[] = [];
    for (const { frame, recordOffset, header, hash16 } of recoverFrames(
      { size, read },
      { nonce: pack.nonce },
    )) {
      found.push({
        row: {
          id: Buffer.from(header.id),
          offset: recordOffset,
          length: frame.recordLength,
          group: frame.group,
          writer: Buffer.from(frame.writer),
          type: header.type,
          hash16: Buffer.from(hash16),
        },
        refs: Buffer.from(header.refs),
        admitted: recordOffset + frame.recordLength <= pack.coveredBytes,
      });
    }
    return { pack, path, fd, size, found };
  } catch (error) {
    if (fd !== undefined) closeSync(fd);
    throw fileError(error, path);
  }
}

async function admitFound(
  scan: Scan,
  port: RecoveryPort,
  counts: { admitted: number; refused: number },
): Promise<void> {
  const { overlay } = port;
  for (const found of scan.found) {
    if (found.admitted) continue;
    const { row } = found;
    const refs = refOrdinals(port, row.group, found.refs);
    if (refs === undefined) {
      counts.refused++;
      continue;
    }
    if (overlay.full || overlay.wantsFlush) await overlay.flush();
    overlay.admit(
      row.group,
      row.id,
      {
        pack: scan.pack.ordinal,
        offset: row.offset,
        length: row.length,
        type: row.type,
        writer: port.writerOrdinal(row.writer),
      },
      refs,
    );
    found.admitted = true;
    counts.admitted++;
  }
}

/** Ordinals of all references, or undefined when one is not here. */
function refOrdinals({ overlay, promised }: RecoveryPort, group: number, refs: Buffer): number[] | undefined {
  const rows = overlay.lookupBatch(group, refs);
  if (rows.every((row) => row !== undefined)) return rows.map(({ ordinal }) => ordinal);
  // A row that was found wrong, or is not promised any more, was there when the record was acknowledged.
  const relied = promised.rely(group, refs);
  const ordinals = rows.map((row, i) => row?.ordinal ?? relied[i]);
  return ordinals.every((ordinal) => ordinal !== undefined) ? ordinals : undefined;
}

/**
 * Cuts what is behind the last admitted record and opens the pack for writing. `whole`: no damage and no refused
 * record before that, so that the pack can be gone on with. Undefined when the pack held nothing and was removed.
 */
async function restore(
  scan: Scan,
  port: RecoveryPort,
): Promise<{ pack: OpenPack; whole: boolean } | undefined> {
  const { pack, path, fd } = scan;
  try {
    const last = scan.found.findLast((found) => found.admitted);
    if (last === undefined && pack.coveredBytes === 0) {
      await rm(path);
      port.packs.remove(pack.ordinal);
      return undefined;
    }
    // Below the covered mark nothing is cut, damaged or not: repair may still want it.
    const end = Math.max(
      last === undefined ? 0 : last.row.offset + last.row.length,
      Math.min(pack.coveredBytes, scan.size),
    );
    if (scan.size > end) {
      ftruncateSync(fd, end);
      fsyncSync(fd);
      port.report("tail-cut", { path, from: scan.size, to: end });
    }
    const kept = scan.found.filter((found) => found.admitted && found.row.offset + found.row.length <= end);
    const whole = isWhole(kept, end) && readPackHeader(path) !== undefined;
    if (!whole) port.report("pack-damaged", { path, records: kept.length });
    port.overlay.cover(pack.ordinal, end);
    return {
      whole,
      pack: new OpenPack({
        ordinal: pack.ordinal,
        kind: pack.kind === "data" ? PackKind.data : PackKind.metadata,
        nonce: Buffer.from(pack.nonce),
        path,
        fd,
        rows: kept.map((found) => found.row),
        durableBytes: end,
        sha256: port.sha256,
        hash: hashOfPrefix(fd, end, port.sha256),
      }),
    };
  } catch (error) {
    throw fileError(error, path);
  }
}

/** Whether rows follow one another from the header to `end`. */
function isWhole(kept: readonly Found[], end: number): boolean {
  let next: number = Width.packHeader;
  for (const { row } of kept) {
    if (row.offset !== next + Width.frame) return false;
    next = row.offset + row.length;
  }
  return next === end;
}

function hashOfPrefix(fd: number, end: number, sha256: Sha256Engine): RunningSha256 {
  const hash = sha256.start();
  const piece = Buffer.allocUnsafe(pieceBytes);
  for (let at = 0; at < end; ) {
    const read = readSync(fd, piece, 0, Math.min(piece.length, end - at), at);
    if (read === 0) throw new Error("the pack shrank while it was read");
    hash.update(piece.subarray(0, read));
    at += read;
  }
  return hash;
}
