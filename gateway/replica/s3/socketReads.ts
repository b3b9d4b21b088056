// Sockets of HTTP clients that read into memory of their own.
//
// Node allocates 64 KiB for every read of a socket, and its HTTP parser copies what it finds there: the first is garbage of which V8 learns
// late. 1 GiB that was received so made it collect its whole heap a hundred times.
//
// Invariant: bytes in the memory are of use only within the call that brings them. Whoever listens (Node's HTTP parser) keeps copies alone, so all
// sockets share it.

import type { OnReadOpts, Socket } from "node:net";

/** Bytes of one read. Of 64 KiB, a gigabyte would go through Node's parser and streams 16,000 times: a twentieth of what a cold read takes. */
const readBytesMax = 256 * 1024;

/** For the options of an agent whose sockets are not read by anybody but an HTTP client. */
export function readsIntoKeptMemory(): OnReadOpts {
  return {
    buffer: Buffer.allocUnsafeSlow(readBytesMax),
    callback(this: unknown, length: number, memory: Uint8Array): boolean {
      const socket = this as Socket;
      const bytes = (memory as Buffer).subarray(0, length);
      // Nobody asked for anything: what comes must not become the answer to the next request.
      if (!socket.emit("data", bytes)) socket.destroy();
      return true;
    },
  };
}
