// A pair of sockets in place of /dev/fuse: what is written to one end is read from the other as one whole message, as the
// kernel hands out requests and takes replies.

import { closeSync, readSync, writeSync } from "node:fs";
import { setImmediate as turn } from "node:timers/promises";
import koffi from "koffi";
import { IN_HEADER_BYTES, Opcode, OUT_HEADER_BYTES, ROOT_NODE_ID } from "../../../fs/fuse/kernel/abi.ts";

const AF_UNIX = 1;
const SOCK_SEQPACKET = 5;
const SOCK_NONBLOCK = 0o4000;
const SOCK_CLOEXEC = 0o2000000;
const REPLY_BYTES_MAX = 2 * 1024 * 1024;
const SOL_SOCKET = 1;
const SO_SNDBUFFORCE = 32;

/** Answers that wait for nothing but promises are there by then. */
const turnsAfterMark = 5;

export type Reply = { readonly unique: number; readonly error: number; readonly body: Buffer };

export class DeviceStandIn {
  /** For a FuseChannel, which closes it. */
  readonly server: number;
  readonly #kernel: number;
  readonly #buffer = Buffer.alloc(REPLY_BYTES_MAX);
  /** Numbers of requests of our own. */
  #marks = 2 ** 50;

  constructor() {
    const libc = koffi.load(null);
    const ends = new Int32Array(2);
    const socketpair = libc.func("int socketpair(int, int, int, _Out_ int *)");
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends) !== 0)
      throw new Error("no socket pair");
    [this.server, this.#kernel] = ends as unknown as [number, number];
    // A whole reply must fit, as it does into the kernel.
    const setsockopt = libc.func("int setsockopt(int, int, int, int *, uint)");
    for (const end of ends) setsockopt(end, SOL_SOCKET, SO_SNDBUFFORCE, [4 * REPLY_BYTES_MAX], 4);
  }

  send(request: Uint8Array): void {
    writeSync(this.#kernel, request);
  }

  /** Replies that are there. Throws where one is not framed as the kernel insists. */
  replies(): Reply[] {
    const found: Reply[] = [];
    for (;;) {
      let length: number;
      try {
        length = readSync(this.#kernel, this.#buffer);
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code === "EAGAIN") return found;
        throw error;
      }
      if (length === 0) return found;
      const bytes = Buffer.from(this.#buffer.subarray(0, length));
      if (length < OUT_HEADER_BYTES || bytes.readUInt32LE(0) !== length) {
        throw new Error(`a reply of ${length} bytes says that it has ${bytes.readUInt32LE(0)}`);
      }
      const error = bytes.readInt32LE(4);
      const body = bytes.subarray(OUT_HEADER_BYTES);
      // The kernel's own conditions (fuse_dev_do_write).
      if (error > 0 || error <= -512) throw new Error(`a reply with the error ${error}`);
      if (error !== 0 && body.length > 0) throw new Error("a failure with a body");
      found.push({ unique: Number(bytes.readBigUInt64LE(8)), error, body });
    }
  }

  /** Waits until everything sent was received and what can be answered was; gives the replies. */
  async settled(): Promise<Reply[]> {
    const mark = ++this.#marks;
    const bytes = Buffer.alloc(IN_HEADER_BYTES);
    bytes.writeUInt32LE(bytes.length, 0);
    bytes.writeUInt32LE(Opcode.release, 4);
    bytes.writeBigUInt64LE(BigInt(mark), 8);
    bytes.writeBigUInt64LE(BigInt(ROOT_NODE_ID), 16);
    this.send(bytes);
    const found: Reply[] = [];
    for (let left = Number.POSITIVE_INFINITY; left > 0; left--) {
      const some = this.replies();
      if (some.some(({ unique }) => unique === mark)) left = turnsAfterMark;
      found.push(...some.filter(({ unique }) => unique !== mark));
      await turn();
    }
    return found;
  }

  close(): void {
    closeSync(this.#kernel);
  }
}
