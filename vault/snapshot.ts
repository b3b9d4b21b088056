// Snapshot objects: a clear, authenticated header and a sealed body (docs/format.md section 8).
import { createHash, randomBytes } from "node:crypto";
import { asBuffer, equalBytes } from "./bytes.ts";
import { ErrorCode, HoldfastError } from "./errors.ts";
import { requireKnownFeatures } from "./features.ts";
import { asArray, asFlags, asInteger, asObject, asText, asTime, parseJson } from "./jsonFields.ts";
import type { VaultKeys } from "./keys/vaultKeys.ts";
import { limits } from "./limits.ts";
import { formatVersion, Magic, SnapshotFlag, Width } from "./magic.ts";
import { openBody, sealedLengthOf, sealInto } from "./seal/seal.ts";

/** The clear part. Buffers of a parsed header are views of its bytes. */
export type SnapshotHeader = {
  readonly flags: {
    /** The run stopped at a limit. */
    readonly incomplete: boolean;
  };
  readonly keyEpoch: number;
  readonly vaultId: Uint8Array;
  readonly group: number;
  readonly deviceId: Uint8Array;
  readonly itemId: Uint8Array;
  /** Number in the item, from 1. */
  readonly sequence: number;
  /** Id of the item's previous snapshot, or 32 zero bytes for the first. */
  readonly previous: Uint8Array;
  /** Id of the root directory page. */
  readonly root: Uint8Array;
};

export type SnapshotBody = {
  /** Start of the run, RFC 3339. */
  readonly time: string;
  readonly device: string;
  readonly item: string;
  readonly host: string;
  /** Backed-up paths, as text (see pathText.ts). */
  readonly paths: readonly string[];
  readonly files: number;
  readonly dirs: number;
  readonly others: number;
  readonly bytes: number;
  readonly warnings: number;
  /** Version of the agent. */
  readonly agent: string;
  /** Id of the chunker that cut this item. */
  readonly chunker: string;
  readonly features: { readonly read: readonly string[] };
  /** Of an incomplete snapshot: its number in the series of them, from 1; unknown where a writer left it out. */
  readonly portion?: number;
  /** Of the output of a program. */
  readonly program?: ProgramEnd;
};

/** How a program ended. It failed where `exit` is not 0 or `stopped` is there; its snapshot is incomplete then. */
export type ProgramEnd = {
  /** Null where a signal ended it. */
  readonly exit: number | null;
  /** The signal's name, like SIGTERM. */
  readonly signal: string | null;
  /** The limit for which it was killed. */
  readonly stopped?: string;
};

const At = {
  magic: 0,
  version: 4,
  flags: 5,
  reserved: 6,
  keyEpoch: 8,
  vaultId: 12,
  group: 28,
  deviceId: 32,
  itemId: 48,
  sequence: 64,
  previous: 72,
  root: 104,
  iv: 136,
  sealedLength: 152,
  afterHeader: Width.snapshotHeader,
} as const;

function corrupt(what: string): HoldfastError {
  return new HoldfastError(ErrorCode.corrupt, `snapshot: ${what}`);
}

/** The id of a snapshot object: the SHA-256 of all its bytes. */
export function snapshotId(bytes: Uint8Array): Buffer {
  return createHash("sha256").update(bytes).digest();
}

/**
 * Seals a snapshot in the keys' current epoch and vault. Ids of wrong length, or a body above 1 MiB, are a RangeError. `iv` is random
 * unless a test vector fixes it.
 */
export function encodeSnapshot(snapshot: {
  readonly keys: VaultKeys;
  readonly header: Omit<SnapshotHeader, "keyEpoch" | "vaultId">;
  readonly body: SnapshotBody;
  readonly iv?: Uint8Array;
}): { id: Buffer; bytes: Buffer } {
  const { keys, header, body, iv = randomBytes(Width.iv) } = snapshot;
  const text = Buffer.from(JSON.stringify(body), "utf8");
  if (text.length > limits.snapshotBodyBytesMax)
    throw new RangeError(`snapshot body of ${text.length} bytes`);
  if (!Number.isSafeInteger(header.sequence) || header.sequence < 1)
    throw new RangeError("snapshot sequence");
  const sealedLength = sealedLengthOf(text.length);
  const bytes = Buffer.alloc(At.afterHeader + sealedLength + Width.tag);
  const put = (value: Uint8Array, at: number, width: number): void => {
    if (value.length !== width) throw new RangeError(`snapshot field at ${at} has ${value.length} bytes`);
    bytes.set(value, at);
  };
  bytes.writeUInt32LE(Magic.snapshot, At.magic);
  bytes[At.version] = formatVersion;
  bytes[At.flags] = header.flags.incomplete ? SnapshotFlag.incomplete : 0;
  bytes.writeUInt32LE(keys.currentEpoch, At.keyEpoch);
  put(keys.vaultId, At.vaultId, Width.vaultId);
  bytes.writeUInt32LE(header.group, At.group);
  put(header.deviceId, At.deviceId, Width.deviceId);
  put(header.itemId, At.itemId, Width.itemId);
  bytes.writeBigUInt64LE(BigInt(header.sequence), At.sequence);
  put(header.previous, At.previous, Width.id);
  put(header.root, At.root, Width.id);
  put(iv, At.iv, Width.iv);
  bytes.writeUInt32LE(sealedLength, At.sealedLength);
  sealInto(keys.sealKeys(keys.currentEpoch), iv, bytes, At.afterHeader, text.length, text);
  return { id: snapshotId(bytes), bytes };
}

/**
 * The clear header of a whole snapshot object; needs no key. What it says is proven only by openSnapshot.
 * @throws HoldfastError truncated, corrupt, unsupported, limit-exceeded
 */
export function parseSnapshotHeader(object: Uint8Array): SnapshotHeader {
  const bytes = asBuffer(object);
  if (bytes.length < At.afterHeader) {
    throw new HoldfastError(ErrorCode.truncated, `snapshot: ${bytes.length} bytes of its header`);
  }
  if (bytes.readUInt32LE(At.magic) !== Magic.snapshot) throw corrupt("not the magic of a snapshot");
  const version = bytes[At.version]!;
  if (version !== formatVersion) {
    throw new HoldfastError(
      ErrorCode.unsupported,
      `snapshot version ${version} is not known to this program`,
      { next: "Use a newer version of this program." },
    );
  }
  const flags = bytes[At.flags]!;
  if (flags > SnapshotFlag.incomplete) throw corrupt(`flags ${flags}`);
  if (bytes.readUInt16LE(At.reserved) !== 0) throw corrupt("reserved bytes are not zero");
  const keyEpoch = bytes.readUInt32LE(At.keyEpoch);
  if (keyEpoch === 0) throw corrupt("key epoch 0");
  const sequence = bytes.readBigUInt64LE(At.sequence);
  if (sequence < 1n || sequence > BigInt(Number.MAX_SAFE_INTEGER)) throw corrupt(`sequence ${sequence}`);
  const sealedLength = bytes.readUInt32LE(At.sealedLength);
  if (sealedLength < sealedLengthOf(0)) throw corrupt(`sealed length ${sealedLength}`);
  if (sealedLength > sealedLengthOf(limits.snapshotBodyBytesMax)) {
    throw new HoldfastError(
      ErrorCode.limitExceeded,
      `snapshot: ${sealedLength} sealed bytes are over the limit`,
    );
  }
  const length = At.afterHeader + sealedLength + Width.tag;
  if (bytes.length < length)
    throw new HoldfastError(ErrorCode.truncated, `snapshot: ${bytes.length} bytes of ${length}`);
  if (bytes.length > length) throw corrupt(`${bytes.length - length} bytes after the end`);
  return {
    flags: { incomplete: flags === SnapshotFlag.incomplete },
    keyEpoch,
    vaultId: bytes.subarray(At.vaultId, At.vaultId + Width.vaultId),
    group: bytes.readUInt32LE(At.group),
    deviceId: bytes.subarray(At.deviceId, At.deviceId + Width.deviceId),
    itemId: bytes.subarray(At.itemId, At.itemId + Width.itemId),
    sequence: Number(sequence),
    previous: bytes.subarray(At.previous, At.previous + Width.id),
    root: bytes.subarray(At.root, At.root + Width.id),
  };
}

/**
 * Verifies and opens a snapshot object.
 * @throws HoldfastError as parseSnapshotHeader; key-wrong for another vault or an unknown epoch; seal-invalid; unsupported for an
 * unknown feature flag of the body
 */
export function openSnapshot(
  keys: VaultKeys,
  object: Uint8Array,
): { id: Buffer; header: SnapshotHeader; body: SnapshotBody } {
  const header = parseSnapshotHeader(object);
  if (!equalBytes(header.vaultId, keys.vaultId)) {
    throw new HoldfastError(ErrorCode.keyWrong, "this snapshot belongs to another vault");
  }
  const iv = object.subarray(At.iv, At.iv + Width.iv);
  const { plainLength, payload } = openBody(keys.sealKeys(header.keyEpoch), iv, object, At.afterHeader);
  if (plainLength !== payload.length) throw corrupt(`body of ${payload.length} bytes, not ${plainLength}`);
  return { id: snapshotId(object), header, body: parseBody(payload) };
}

function parseBody(text: Buffer): SnapshotBody {
  const json = asObject(parseJson(text, "snapshot body", limits.snapshotBodyBytesMax), "snapshot body");
  const read =
    json.features === undefined ? [] : asFlags(asObject(json.features, "features").read, "features.read");
  requireKnownFeatures(read, "read", "this snapshot");
  return {
    time: asTime(json.time, "time"),
    device: asText(json.device, "device"),
    item: asText(json.item, "item"),
    host: asText(json.host, "host"),
    paths: asArray(json.paths, "paths", limits.snapshotPathsMax).map((path) => asText(path, "path")),
    files: asInteger(json.files, "files", 0),
    dirs: asInteger(json.dirs, "dirs", 0),
    others: asInteger(json.others, "others", 0),
    bytes: asInteger(json.bytes, "bytes", 0),
    warnings: asInteger(json.warnings, "warnings", 0),
    agent: asText(json.agent, "agent"),
    chunker: asText(json.chunker, "chunker"),
    features: { read },
    ...(json.portion === undefined ? {} : { portion: asInteger(json.portion, "portion", 1) }),
    ...(json.program === undefined ? {} : { program: parseProgram(json.program) }),
  };
}

function parseProgram(value: unknown): ProgramEnd {
  const { exit, signal, stopped } = asObject(value, "program");
  return {
    exit: exit === null ? null : asInteger(exit, "program.exit", 0),
    signal: signal === null ? null : asText(signal, "program.signal"),
    ...(stopped === undefined ? {} : { stopped: asText(stopped, "program.stopped") }),
  };
}
