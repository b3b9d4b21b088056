// Version, headers and bounds of the wire protocol (docs/protocol.md). Both ends check the same numbers.

import { limits } from "../../vault/limits.ts";
import { Width } from "../../vault/magic.ts";

/**
 * Versions that this program speaks, at both ends: the newest and the one before it, so that agents and gateways may be upgraded one after the
 * other, in any order.
 */
export const protocolVersions: readonly number[] = [1];
export const protocolVersion: number = Math.max(...protocolVersions);

/** Which of two sides that have no version in common is the older. */
export function behindProtocol(ours: readonly number[], theirs: readonly number[]): "ours" | "theirs" {
  return Math.max(...ours) < Math.max(0, ...theirs) ? "ours" : "theirs";
}

/** Request header with the client's protocol version (lower case, as node:http reports it). */
export const protocolHeader = "holdfast-protocol";

export const octetStream = "application/octet-stream";

const KiB = 1024;
const MiB = 1024 * KiB;

export const wireLimits = {
  /** Ids of one `have` or `exists`. */
  idsPerHave: 16_384,
  /** Ids of one `read`. */
  idsPerRead: 4096,
  /** Missing ids that one `records` answer lists. */
  missingPerRecords: 1024,
  /** Missing ids that one `commit` refusal lists. */
  missingPerCommit: 1000,
  /** Ids of one `suspect`. */
  idsPerSuspect: 1024,
  /** Items of one device: each is a row for ever, and there is no need for more. */
  itemsPerDevice: 1000,
  /** Snapshots of one `GET /v1/snapshots?newest=`. */
  newestSnapshots: 1000,
  /** Of a report's message. */
  reportCharacters: 500,
  /** A `GET /v1/definitions`. */
  definitionsBytes: 8 * MiB,
  jsonBytes: 1 * MiB,
  haveBytes: 16_384 * Width.id,
  recordsBytes: 64 * MiB,
  commitBytes: limits.snapshotBytesMax,
  /** Records of one `records` body; with the body's own bound it limits the answer. */
  recordsPerBody: Math.floor((64 * MiB) / (Width.recordHeader + Width.plainLength + Width.tag + 4)),
  /** An error body or other JSON answer that a client reads. */
  answerBytes: 16 * MiB,
  /** A `GET /v1/events` waits at most so long. */
  eventsWaitMs: 30_000,
} as const;

/** The smallest record: header, no references, plain length, tag. */
export const recordBytesMin = Width.recordHeader + Width.plainLength + Width.tag;

if (wireLimits.recordsBytes < limits.recordBytesMax + 4) {
  throw new Error("ingest/wire/protocol.ts: broken relation: the largest record fits a records body");
}
