// Inode numbers that stay the same from mount to mount and from machine to machine.
//
// A node's number is a 64-bit hash, keyed by the snapshot: of its parent's number and its name, or, for names of one hard-linked
// file, of the source's device, inode and state, so that they share it. 10 million nodes collide with a chance of 3 in a million.
// 0 and 1 never occur: 0 means "none" to many programs, 1 is the root of a drive.

import { createHash } from "node:crypto";

const words = new Uint32Array(2);
const whole = new BigUint64Array(words.buffer);

/** 64 bits from two words; both supported processors are little-endian. */
function join(low: number, high: number): bigint {
  words[0] = low;
  words[1] = high;
  const number = whole[0] as bigint;
  return number < 2n ? number + 2n : number;
}

/** Finishes two running hashes, each stirred with the other (the end of MurmurHash3, twice). */
function finish(first: number, second: number): bigint {
  let a = Math.imul(first ^ (first >>> 16), 2246822507) ^ Math.imul(second ^ (second >>> 13), 3266489909);
  const b = Math.imul(second ^ (second >>> 16), 2246822507) ^ Math.imul(a ^ (a >>> 13), 3266489909);
  a ^= Math.imul(b ^ (b >>> 15), 2654435761);
  return join(a >>> 0, b >>> 0);
}

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
    const low = Number(inode & 0xffff_ffffn);
    const high = Number(inode >> 32n);
    const fileSystem = Number(device & 0xffff_ffffn) ^ Math.imul(Number(device >> 32n), 2654435761) ^ state;
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
    return join(left >>> 0, right >>> 0);
  }

  /** Numbers the children of a directory by name. */
  within(directory: bigint): (name: Uint8Array) => bigint {
    const first = this.#first ^ Number(directory & 0xffff_ffffn);
    const second = this.#second ^ Number(directory >> 32n);
    return (name) => {
      let a = first;
      let b = second;
      for (let at = 0; at < name.length; at++) {
        const byte = name[at] as number;
        a = Math.imul(a ^ byte, 2654435761);
        b = Math.imul(b ^ byte, 1597334677);
        // The low bits of a product depend on lower bits alone: bring the high ones down.
        a ^= a >>> 15;
        b ^= b >>> 14;
      }
      return finish(a ^ name.length, b);
    };
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
