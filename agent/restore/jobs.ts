// What the restore's workers are told about files: a flat binary form, since cloning 50,000 small objects between threads
// costs more than writing the files. Both ends are this program, so nothing in it is checked twice.

import { ByteReader, ByteWriter } from "../../vault/bytes.ts";

/** What is set on a restored object besides its content. */
export type Metadata = {
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly mtimeNs: bigint;
  /** encodeXattrs of the attributes; empty for none. */
  readonly xattrs: Uint8Array;
  /** Whether the object may have attributes that the snapshot does not know and that must go. */
  readonly cleanXattrs: boolean;
};

/** A regular file to restore below the target. */
export type FileJob = {
  /** Path of its directory below the target, without slashes at the ends; empty for the target itself. */
  readonly directory: Buffer;
  readonly name: Buffer;
  readonly size: number;
  /** Of files that are not empty. */
  readonly hash: Uint8Array | undefined;
  /** Where its bytes begin in the chunk that comes with the job. */
  readonly offset: number;
  /** Something has the name already: write beside it and rename. */
  readonly replace: boolean;
  readonly metadata: Metadata;
};

const none = Buffer.alloc(0);

/** Jobs as bytes, in memory of their own that can be transferred. */
export function encodeJobs(jobs: readonly FileJob[]): Uint8Array<ArrayBuffer> {
  const writer = new ByteWriter(jobs.length * 160 + 64);
  writer.varint(jobs.length);
  let directory: Buffer | undefined;
  for (const job of jobs) {
    const sameDirectory = directory?.equals(job.directory) === true;
    writer.u8((sameDirectory ? 1 : 0) | (job.replace ? 2 : 0) | (job.metadata.cleanXattrs ? 4 : 0));
    if (!sameDirectory) putBytes(writer, job.directory);
    directory = job.directory;
    putBytes(writer, job.name);
    writer.varint(job.size);
    putBytes(writer, job.hash ?? none);
    writer.varint(job.offset);
    writer.u16(job.metadata.mode);
    writer.u32(job.metadata.uid);
    writer.u32(job.metadata.gid);
    writer.bytes(timeBytes(job.metadata.mtimeNs));
    putBytes(writer, job.metadata.xattrs);
  }
  return Uint8Array.from(writer.finish());
}

/** The jobs in the bytes of encodeJobs; buffers are views. */
export function decodeJobs(bytes: Uint8Array): FileJob[] {
  const reader = new ByteReader(bytes);
  const jobs: FileJob[] = [];
  let directory: Buffer = none;
  for (let left = reader.varint(); left > 0; left--) {
    const flags = reader.u8();
    if ((flags & 1) === 0) directory = takeBytes(reader);
    const name = takeBytes(reader);
    const size = reader.varint();
    const hash = takeBytes(reader);
    const offset = reader.varint();
    const mode = reader.u16();
    const uid = reader.u32();
    const gid = reader.u32();
    const mtimeNs = timeOf(reader.bytes(timeLength));
    const xattrs = takeBytes(reader);
    jobs.push({
      directory,
      name,
      size,
      hash: hash.length === 0 ? undefined : hash,
      offset,
      replace: (flags & 2) !== 0,
      metadata: { mode, uid, gid, mtimeNs, xattrs, cleanXattrs: (flags & 4) !== 0 },
    });
  }
  return jobs;
}

const timeLength = 12;
const scratch = Buffer.alloc(timeLength);
const NS = 1_000_000_000n;

/** Seconds and nanoseconds apart: a nanosecond count of a far time does not fit 64 bits. */
function timeBytes(ns: bigint): Buffer {
  const nanos = ((ns % NS) + NS) % NS;
  scratch.writeBigInt64LE((ns - nanos) / NS, 0);
  scratch.writeUInt32LE(Number(nanos), 8);
  return scratch;
}

function timeOf(bytes: Buffer): bigint {
  return bytes.readBigInt64LE(0) * NS + BigInt(bytes.readUInt32LE(8));
}

function putBytes(writer: ByteWriter, bytes: Uint8Array): void {
  writer.varint(bytes.length);
  writer.bytes(bytes);
}

function takeBytes(reader: ByteReader): Buffer {
  return reader.bytes(reader.varint());
}
