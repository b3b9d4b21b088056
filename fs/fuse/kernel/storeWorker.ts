// The thread that stores content in the kernel's page cache (FUSE_NOTIFY_STORE), so that no request comes for it.
//
// Why a thread: the kernel locks the pages that it stores, and waits for those that a request in our hands holds. The thread that answers
// requests must never wait so.

import { workerData } from "node:worker_threads";
import { Notify, OUT_HEADER_BYTES } from "./abi.ts";
import { type Libc, loadLibc } from "./libc.ts";
import { receiveStores, type StoreMemory } from "./storeRing.ts";

/** Beside the header, of what writev takes at once. */
const PIECES_MAX = 1023;
/** The kernel may just be reading the listing that tells it of a node, or have forgotten it: then it asks for its content. */
const triesMax = 4;
const retryMs = 0.05;
const IOVEC_WORDS = 4;
const HEADER_BYTES = OUT_HEADER_BYTES + 24;
const WORD = 2 ** 32;
/** Never changes: a sleep is a wait for it. */
const nothing = new Int32Array(new SharedArrayBuffer(4));

export type StoreWorkerData = { readonly descriptor: number; readonly memory: StoreMemory };

function serve({ writev, addressOf }: Libc, { descriptor, memory }: StoreWorkerData): void {
  const header = new Uint32Array(new ArrayBuffer(4096), 0, HEADER_BYTES / 4);
  const vectors = new Uint32Array((PIECES_MAX + 1) * IOVEC_WORDS);
  const vectorBytes = new Uint8Array(vectors.buffer);
  const setVector = (index: number, address: number, length: number): void => {
    const at = index * IOVEC_WORDS;
    vectors[at] = address;
    vectors[at + 1] = address / WORD;
    vectors[at + 2] = length;
  };
  setVector(0, addressOf(new Uint8Array(header.buffer)), HEADER_BYTES);
  let tries = 0;
  const begin = (): void => {
    tries = triesMax;
  };
  receiveStores(memory, begin, (next, skipped) => {
    const nodeId = next();
    const size = next();
    const pieces = next();
    for (let piece = 1; piece <= pieces; piece++) setVector(piece, next(), next());
    if (skipped) return;
    // fuse_out_header, fuse_notify_store_out
    header[0] = HEADER_BYTES + size;
    header[1] = Notify.store;
    header[4] = nodeId;
    header[5] = nodeId / WORD;
    header[8] = size;
    while (writev(descriptor, vectorBytes, pieces + 1) < 0 && tries > 0) {
      tries--;
      Atomics.wait(nothing, 0, 0, retryMs);
    }
  });
}

const libc = loadLibc();
if (libc !== undefined) serve(libc, workerData as StoreWorkerData);
