// The primitives of a seal, closed and opened, straight from the zstd and OpenSSL that Node carries: without streams, without a context per record, and
// from window to record with one buffer between. Compressing takes 5 % less, and there is less for the collector to do.
//
// Stateful: two zstd contexts, one cipher context and the buffers of what was made last, for the life of an engine. Invariants: the
// cipher context holds no key between calls; close() gives everything back, and what is called after it throws.

import { zstdCompressSync, zstdDecompressSync } from "node:zlib";
import { Width } from "../../vault/magic.ts";
import { nodeEngine, type OpenEngine, type SealEngine } from "../../vault/seal/engine.ts";
import { addressIn, allocateBlock, bindProcess } from "./libc.ts";
import { zstdFunctions, zstdParameters } from "./zstd.ts";

/** EVP_CTRL_AEAD_GET_TAG. */
const GET_TAG = 0x10;
const TAG_BYTES = 16;

const functions = {
  ...zstdFunctions,
  ZSTD_createDCtx: ["uintptr_t"],
  ZSTD_freeDCtx: ["int64", "uintptr_t"],
  ZSTD_getFrameContentSize: ["int64", "uintptr_t", "int64"],
  ZSTD_findFrameCompressedSize: ["int64", "uintptr_t", "int64"],
  ZSTD_decompressDCtx: ["int64", "uintptr_t", "uintptr_t", "int64", "uintptr_t", "int64"],
  EVP_aes_256_ctr: ["uintptr_t"],
  EVP_chacha20_poly1305: ["uintptr_t"],
  EVP_CIPHER_CTX_new: ["uintptr_t"],
  EVP_CIPHER_CTX_free: ["void", "uintptr_t"],
  EVP_CIPHER_CTX_reset: ["int", "uintptr_t"],
  EVP_CIPHER_CTX_ctrl: ["int", "uintptr_t", "int", "int", "uintptr_t"],
  EVP_EncryptInit_ex: ["int", "uintptr_t", "uintptr_t", "uintptr_t", "uintptr_t", "uintptr_t"],
  EVP_EncryptUpdate: ["int", "uintptr_t", "uintptr_t", "uintptr_t", "uintptr_t", "int"],
  EVP_EncryptFinal_ex: ["int", "uintptr_t", "uintptr_t", "uintptr_t"],
} as const;

export type NativeSeal = SealEngine & OpenEngine & { readonly close: () => void };

/**
 * An engine for this thread. Throws where this Node does not offer the functions.
 * @param plainBytesMax the longest plaintext that it will be given
 */
export function createNativeSeal(plainBytesMax: number): NativeSeal {
  const native = bindProcess(functions);
  const zstd = native.ZSTD_createCCtx();
  const unzstd = native.ZSTD_createDCtx();
  const cipher = native.EVP_CIPHER_CTX_new();
  if (zstd === 0 || unzstd === 0 || cipher === 0) throw new Error("no memory for a native seal");
  const aesCtr = native.EVP_aes_256_ctr();
  const chachaPoly = native.EVP_chacha20_poly1305();
  // Room for the worst case, of which only what is written to is ever real memory.
  const frame = allocateBlock(native.ZSTD_compressBound(plainBytesMax));
  const payload = allocateBlock(plainBytesMax + Width.plainLength);
  const plaintext = allocateBlock(plainBytesMax);
  const written = allocateBlock(8);
  const zeroNonce = allocateBlock(12);
  const setParameters = zstdParameters(native, zstd);
  let closed = false;

  /** Nothing may reach what was given back. */
  function checkOpen(): void {
    if (closed) throw new Error("a native seal was used after it was closed");
  }

  function check(result: number, name: string): void {
    if (result !== 1) throw new Error(`${name} failed`);
  }

  /** Runs a cipher under a key, which leaves no trace afterwards. */
  function keyed(kind: number, key: Uint8Array, ivAddress: number, run: () => void): void {
    checkOpen();
    try {
      check(native.EVP_EncryptInit_ex(cipher, kind, 0, addressIn(key), ivAddress), "EVP_EncryptInit_ex");
      run();
    } finally {
      native.EVP_CIPHER_CTX_reset(cipher);
    }
  }

  function update(to: number, from: Uint8Array): void {
    if (from.length === 0) return;
    const result = native.EVP_EncryptUpdate(cipher, to, written.address, addressIn(from), from.length);
    check(result, "EVP_EncryptUpdate");
  }

  const engine: NativeSeal = {
    compress(bytes, level) {
      checkOpen();
      setParameters(level, bytes.length);
      const from = bytes.length === 0 ? 0 : addressIn(bytes);
      const length = native.ZSTD_compress2(zstd, frame.address, frame.bytes.length, from, bytes.length);
      if (length < 0) throw new Error(`zstd failed with ${-length}`);
      return frame.bytes.subarray(0, length);
    },

    encrypt(key, iv, head, payload, out) {
      if (out.length < head.length + payload.length) throw new RangeError("encrypt: out is too short");
      const to = addressIn(out);
      keyed(aesCtr, key, addressIn(iv), () => {
        update(to, head);
        update(to + head.length, payload);
      });
    },

    tag(oneTimeKey, authenticated, out) {
      if (out.length < TAG_BYTES) throw new RangeError("tag: out is too short");
      keyed(chachaPoly, oneTimeKey, zeroNonce.address, () => {
        update(0, authenticated);
        check(native.EVP_EncryptFinal_ex(cipher, addressIn(out), written.address), "EVP_EncryptFinal_ex");
        const got = native.EVP_CIPHER_CTX_ctrl(cipher, GET_TAG, TAG_BYTES, addressIn(out));
        check(got, "EVP_CIPHER_CTX_ctrl");
      });
    },

    keepsMemory: true,

    decrypt(key, iv, ciphertext) {
      // No record has more; whoever asks for more gets it the slow way.
      if (ciphertext.length > payload.bytes.length) return nodeEngine.decrypt(key, iv, ciphertext);
      // CTR is its own reverse.
      keyed(aesCtr, key, addressIn(iv), () => update(payload.address, ciphertext));
      return payload.bytes.subarray(0, ciphertext.length);
    },

    decompress(bytes, length, into = plaintext.bytes) {
      checkOpen();
      const from = addressIn(bytes);
      const whole =
        length > 0 &&
        length <= into.length &&
        native.ZSTD_getFrameContentSize(from, bytes.length) === length &&
        native.ZSTD_findFrameCompressedSize(from, bytes.length) === bytes.length &&
        native.ZSTD_decompressDCtx(unzstd, addressIn(into), length, from, bytes.length) === length;
      // What is not the usual frame is for Node to accept or refuse, so that all engines agree.
      return whole ? into.subarray(0, length) : nodeEngine.decompress(bytes, length);
    },

    close() {
      if (closed) return;
      closed = true;
      native.ZSTD_freeCCtx(zstd);
      native.ZSTD_freeDCtx(unzstd);
      native.EVP_CIPHER_CTX_free(cipher);
    },
  };
  try {
    prove(engine);
  } catch (error) {
    engine.close();
    throw error;
  }
  return engine;
}

/** Throws unless the engine agrees with Node's own libraries: a Node that was built with others may have functions that only look alike. */
function prove(engine: SealEngine & OpenEngine): void {
  const text = Buffer.alloc(3000, "what one seals the other must open; ");
  const key = Buffer.alloc(32, 7);
  const iv = Buffer.alloc(16, 9);
  const opened = zstdDecompressSync(engine.compress(text, 2));
  const [ours, theirs] = [engine, nodeEngine].map((each) => {
    const out = Buffer.alloc(4 + text.length + TAG_BYTES);
    each.encrypt(key, iv, text.subarray(0, 4), text, out);
    each.tag(key, out.subarray(0, 4 + text.length), out.subarray(4 + text.length));
    return out;
  }) as [Buffer, Buffer];
  const decrypted = engine.decrypt(key, iv, ours.subarray(0, 4 + text.length)).subarray(4);
  const unpacked = engine.decompress(zstdCompressSync(text), text.length);
  if (![opened, decrypted, unpacked].every((each) => each.equals(text)) || !ours.equals(theirs)) {
    throw new Error("the process's zstd or OpenSSL does not work as expected");
  }
}
