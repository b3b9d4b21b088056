// Inode numbers that stay the same from mount to mount and from machine to machine.
//
// A node's number is a 64-bit hash, keyed by the snapshot: of its parent's number and its name, or, for names of one hard-linked
// file, of the source's device, inode and state, so that they share it. 10 million nodes collide with a chance of 3 in a million.
// 0 and 1 never occur: 0 means "none" to many programs, 1 is the root of a drive.

import { createHash } from "node:crypto";

const words = new Uint32Array(2);
const whole = new BigUint64Array(words.buffer);

/** Puts a number's halves into `words`. */
function put(low: number, high: number): void {
  words[0] = high === 0 && low < 2 ? low + 2 : low;
  words[1] = high;
}

/** The number in `words`; both supported processors are little-endian. */
const joined = (): bigint => whole[0] as bigint;

/** Finishes two running hashes, each stirred with the other (the end of MurmurHash3, twice). */
function finish(first: number, second: number): void {
  let a = Math.imul(first ^ (first >>> 16), 2246822507) ^ Math.imul(second ^ (second >>> 13), 3266489909);
  const b = Math.imul(second ^ (second >>> 16), 2246822507) ^ Math.imul(a ^ (a >>> 13), 3266489909);
  a ^= Math.imul(b ^ (b >>> 15), 2654435761);
  put(a >>> 0, b >>> 0);
}

/** The two halves of a number, to be filled. */
export type InodeWords = { inodeLow: number; inodeHigh: number };

export class InodeNumbers {
  readonly #first: number;
  readonly #second: number;

  /** @param seed what sets these numbers apart from others: the snapshot's id */
  constructor(seed: Uint8Array | string) {
    const digest = createHash("sha256").update("holdfast inode\0").update(seed).digest();
    this.#first = digest.readInt32LE(0);
    this.#second = digest.readInt32LE(4);
  }

  /** The number that all names of one hard-linked file in one state share. @param state see linkState */
  ofLink(device: bigint, inode: bigint, state: number): bigint {
    this.#link(
      Number(device & 0xffff_ffffn) ^ Math.imul(Number(device >> 32n), 2654435761) ^ state,
      Number(inode & 0xffff_ffffn),
      Number(inode >> 32n),
    );
    return joined();
  }

  /** The same from and to halves: `source` is a row's device and inode. */
  ofLinkWords(
    source: { deviceLow: number; deviceHigh: number; inodeLow: number; inodeHigh: number },
    state: number,
    out: InodeWords,
  ): void {
    const fileSystem = source.deviceLow ^ Math.imul(source.deviceHigh, 2654435761) ^ state;
    this.#link(fileSystem, source.inodeLow, source.inodeHigh);
    out.inodeLow = words[0] as number;
    out.inodeHigh = words[1] as number;
  }

  #link(fileSystem: number, low: number, high: number): void {
    // The two halves go through four rounds of a Feistel network: within a file system no two inodes can collide.
    let left = low | 0;
    let right = high | 0;
    for (let round = 1; round <= 4; round++) {
      const key = (this.#first ^ Math.imul(fileSystem, round)) + Math.imul(this.#second, round * 2 + 1);
      const stirred = Math.imul(right ^ key ^ ((right ^ key) >>> 15), 2246822519);
      const next = left ^ Math.imul(stirred ^ (stirred >>> 13), 3266489917);
      left = right;
      right = next;
    }
    put(left >>> 0, right >>> 0);
  }

  /** Numbers the children of a directory by name. */
  within(directory: bigint): (name: Uint8Array) => bigint {
    const low = Number(directory & 0xffff_ffffn);
    const high = Number(directory >> 32n);
    return (name) => {
      this.#child(low, high, name, 0, name.length);
      return joined();
    };
  }

  /** The same from and to halves; the name is the bytes `from` to `to`. */
  childWords(directory: InodeWords, bytes: Uint8Array, from: number, to: number, out: InodeWords): void {
    this.#child(directory.inodeLow, directory.inodeHigh, bytes, from, to);
    out.inodeLow = words[0] as number;
    out.inodeHigh = words[1] as number;
  }

  #child(low: number, high: number, bytes: Uint8Array, from: number, to: number): void {
    let a = this.#first ^ low;
    let b = this.#second ^ high;
    for (let at = from; at < to; at++) {
      const byte = bytes[at] as number;
      a = Math.imul(a ^ byte, 2654435761);
      b = Math.imul(b ^ byte, 1597334677);
      // The low bits of a product depend on lower bits alone: bring the high ones down.
      a ^= a >>> 15;
      b ^= b >>> 14;
    }
    finish(a ^ (to - from), b);
  }
}

/**
 * Sets apart names of one inode that were read before and after it changed (or went to another file) during a backup: with one number
 * they would share what is cached of their content.
 */
export function linkState(size: number, changedSeconds: number, changedNanoseconds: number): number {
  const length = Math.imul(size, 2246822519) ^ Math.imul(Math.floor(size / 2 ** 32), 3266489917);
  return length ^ Math.imul(changedSeconds, 2654435761) ^ Math.imul(changedNanoseconds, 1597334677);
}
