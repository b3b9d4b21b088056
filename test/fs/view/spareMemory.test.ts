// Memory that is used again must never be seen by whoever had it before.

import { describe, expect, test } from "vitest";
import { PlaintextCache } from "../../../fs/view/plaintextCache.ts";
import { SpareMemory } from "../../../fs/view/spareMemory.ts";

const KiB = 1024;
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

describe("spare memory", () => {
  test("is taken again where it fits, and its old views are empty", () => {
    const spare = new SpareMemory(1024 * KiB);
    const first = spare.take(200 * KiB);
    const view = first.subarray(10, 20);
    spare.give(first);
    expect([first.length, view.length]).toEqual([0, 0]);
    const again = spare.take(250 * KiB);
    expect(again.length).toBe(250 * KiB);
    expect(again.buffer.byteLength).toBe(256 * KiB + 512);
    // It is nobody's now: the next one gets other memory.
    expect(spare.take(250 * KiB).buffer).not.toBe(again.buffer);
  });

  test("is not taken for much less, nor kept beyond its bound, and small pieces are none", () => {
    const spare = new SpareMemory(512 * KiB);
    const large = spare.take(500 * KiB);
    spare.give(large);
    expect(spare.take(150 * KiB).buffer.byteLength).toBe(256 * KiB + 512);
    for (let i = 0; i < 4; i++) spare.give(Buffer.from(new ArrayBuffer(256 * KiB)));
    const taken = Array.from({ length: 4 }, () => spare.take(256 * KiB));
    expect(new Set(taken.map(({ buffer }) => buffer)).size).toBe(4);
    const pooled = Buffer.from("shares Node's pool");
    spare.give(pooled);
    expect(pooled.toString()).toBe("shares Node's pool");
  });
});

describe("a cache that gives memory back", () => {
  const record = (byte: number) => ({
    plaintext: Buffer.from(new ArrayBuffer(256 * KiB)).fill(byte),
    refs: Buffer.alloc(0),
    pins: 0,
  });

  test("leaves what it drops alone until the next turn, and what is pinned for good", async () => {
    const spare = new SpareMemory(1024 * KiB);
    const cache = new PlaintextCache(300 * KiB, spare);
    const [dropped, pinned] = [record(1), record(2)];
    cache.put("a", dropped);
    cache.put("b", pinned);
    expect(dropped.plaintext[100]).toBe(1);
    pinned.pins++;
    cache.put("c", record(3));
    await turn();
    expect(dropped.plaintext.length).toBe(0);
    expect(pinned.plaintext.every((byte) => byte === 2)).toBe(true);
  });

  test("uses nothing again that belonged to a vault which was locked", async () => {
    const spare = new SpareMemory(1024 * KiB);
    const cache = new PlaintextCache(1024 * KiB, spare);
    const secret = record(7);
    cache.put("vault/a", secret);
    cache.dropWhere("vault/");
    await turn();
    expect(secret.plaintext.length).toBe(0);
    expect(spare.take(256 * KiB).includes(7)).toBe(false);
  });
});
