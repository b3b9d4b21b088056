// The two ends of /dev/fuse: requests come by epoll on the event loop, replies go out by write(2).
//
// Why epoll and not fs.read: a read of /dev/fuse blocks until the next request, which parks a libuv
// pool thread (four serve the whole process), and a parked read in the pool or in a worker keeps
// process.exit() from returning. Node offers no public way to poll a character device, so the
// descriptor is put into the handle class of Unix sockets, which does nothing but
// epoll_wait, read(2) and close(2). A request is one read, never split or merged by the kernel.
// Replies do not block: the kernel only copies them. Notifications may wait for locks that a request
// in our own hands holds, so they go through the pool, one after the other.

import { write as writeCallback, writeSync, writevSync } from "node:fs";
import { type OnReadOpts, Socket } from "node:net";
import { promisify } from "node:util";
import { ErrorCode, HoldfastError } from "../../../vault/errors.ts";
import { OUT_HEADER_BYTES, REQUEST_BUFFER_BYTES } from "./abi.ts";
import { EagerReader } from "./eagerReader.ts";

/** Replies up to this are put together and written in one piece: copying a directory page costs less than Node's writev does. */
const GATHERED_BYTES_MAX = 64 * 1024;

const writeAsync = promisify(writeCallback);

type PollHandle = { open(descriptor: number): number };
type PollHandleClass = new (type: 0) => PollHandle;

/** The class behind Unix sockets, reached through a socket that goes nowhere. */
function pollHandleClass(): PollHandleClass {
  const probe = new Socket();
  probe.on("error", () => {});
  probe.connect({ path: "/dev/null/none" });
  const handle = (probe as unknown as { _handle?: { constructor: PollHandleClass } })._handle;
  probe.destroy();
  if (handle === undefined || typeof (handle.constructor.prototype as PollHandle).open !== "function") {
    throw new HoldfastError(ErrorCode.mountFailed, "this Node.js cannot poll /dev/fuse", {
      next: "Run Holdfast with the Node.js that its package brings along.",
    });
  }
  return handle.constructor;
}

export class FuseChannel {
  readonly #descriptor: number;
  readonly #socket: Socket;
  /** Small replies are put together here: writing is over when the call returns. */
  readonly #out = Buffer.allocUnsafeSlow(GATHERED_BYTES_MAX);
  #open = true;
  #closing = false;
  #notices: Promise<void> = Promise.resolve();
  /** Resolves when the kernel or close() ended the connection. */
  readonly closed: Promise<void>;

  /**
   * Takes over a mounted /dev/fuse descriptor. `onRequest` gets one whole request; the bytes are
   * reused after it returns, and it must not throw. `idle` tells that all requests are answered;
   * without it no request is waited for but by epoll.
   */
  constructor(descriptor: number, onRequest: (bytes: Buffer) => void, idle?: () => boolean) {
    this.#descriptor = descriptor;
    const handle = new (pollHandleClass())(0);
    const status = handle.open(descriptor);
    if (status !== 0) {
      throw new HoldfastError(ErrorCode.mountFailed, `polling /dev/fuse failed (${status})`);
    }
    const eager = new EagerReader(descriptor, onRequest);
    const goOn = (): boolean => this.#open && idle?.() === true;
    const onread: OnReadOpts = {
      buffer: Buffer.allocUnsafeSlow(REQUEST_BUFFER_BYTES),
      callback: (length, bytes) => {
        onRequest((bytes as Buffer).subarray(0, length));
        eager.run(goOn);
        return this.#open;
      },
    };
    this.#socket = new Socket({ handle, onread } as unknown as ConstructorParameters<typeof Socket>[0]);
    this.closed = new Promise((resolve) => {
      // ENODEV is how the kernel says "unmounted"; whatever else it says, the connection is over.
      this.#socket.on("error", () => {});
      this.#socket.on("close", () => {
        this.#open = false;
        resolve();
      });
    });
  }

  /**
   * Sends a reply. `data`, one piece or several, is not kept. Returns the errno name when the kernel did not take it.
   * ENOENT means that the asking process is gone, which is no failure of ours.
   */
  reply(unique: number, errno: number, data?: Uint8Array | readonly Uint8Array[]): string | undefined {
    if (!this.#open) return undefined;
    const pieces = data === undefined ? [] : data instanceof Uint8Array ? [data] : data;
    let length = OUT_HEADER_BYTES;
    for (const piece of pieces) length += piece.length;
    const out = this.#out;
    writeOutHeader(out, length, -errno, unique);
    try {
      if (length <= out.length) {
        // Copying little is faster than handing several buffers over.
        let at = OUT_HEADER_BYTES;
        for (const piece of pieces) {
          out.set(piece, at);
          at += piece.length;
        }
        writeSync(this.#descriptor, out, 0, length);
      } else writevSync(this.#descriptor, [out.subarray(0, OUT_HEADER_BYTES), ...pieces]);
      return undefined;
    } catch (error) {
      const code = (error as NodeJS.ErrnoException).code ?? "unknown";
      return code === "ENOENT" || code === "ENODEV" ? undefined : code;
    }
  }

  /** Tells the kernel to drop what it cached. Never fails: it may not know the thing at all. */
  notify(code: number, body: Uint8Array): Promise<void> {
    const header = Buffer.allocUnsafe(OUT_HEADER_BYTES);
    writeOutHeader(header, OUT_HEADER_BYTES + body.length, code, 0);
    const message = Buffer.concat([header, body]);
    this.#notices = this.#notices.then(async () => {
      if (!this.#open || this.#closing) return;
      await writeAsync(this.#descriptor, message).catch(() => {});
    });
    return this.#notices;
  }

  /** Later notifications go out when this is done. */
  noticesAfter(done: Promise<void>): void {
    this.#notices = this.#notices.then(() => done);
  }

  /**
   * Ends the connection: the kernel answers ENOTCONN for the mount from now on. Requests are handed out until then and must be
   * answered without delay, because a notification on its way may wait for one.
   */
  async close(): Promise<void> {
    this.#closing = true;
    // It must not land in whatever gets this descriptor's number next.
    await this.#notices;
    this.#open = false;
    this.#socket.destroy();
    await this.closed;
  }
}

function writeOutHeader(out: Buffer, length: number, error: number, unique: number): void {
  out.writeUInt32LE(length, 0);
  out.writeInt32LE(error, 4);
  out.writeUInt32LE(unique >>> 0, 8);
  out.writeUInt32LE(Math.floor(unique / 2 ** 32), 12);
}
