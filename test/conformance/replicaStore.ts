// What every replica store must do (gateway/replica/replicaStore.ts), as test cases for any of them.
//
// Keys are those of the layout, and content-named ones carry their bytes' name, since a peer checks that.
import { createHash } from "node:crypto";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { namedKey, packKey, rootKey, vaultFolder } from "../../gateway/replica/keys.ts";
import type { ReplicaStore, StoredObject } from "../../gateway/replica/replicaStore.ts";
import { ErrorCode } from "../../vault/errors.ts";
import { seededBytes } from "../vault/seeded.ts";
import { testInterruptedPuts } from "./interruptedPuts.ts";
import { sourceOf, watchedSource } from "./sources.ts";

const MiB = 1 << 20;

/** A place that is opened for the suite. */
export type OpenedPlace = {
  readonly store: ReplicaStore;
  /** Another store of the same place. */
  reopen(): Promise<ReplicaStore>;
  /** Takes the place away; `store` may be closed by then. */
  remove(): Promise<void>;
};

export type StoreUnderTest = {
  readonly name: string;
  readonly conditionalPuts: boolean;
  /** Whether an interrupted put of a large object goes on where it stopped (`savePart`). */
  readonly resumes: boolean;
  /** Sizes at which the store changes its way of sending: each is tried, and one byte less and more. */
  readonly boundaries: readonly number[];
  /** The most bytes of objects whose puts have begun to read at a time, however many are asked for at once. Undefined: the caller bounds it. */
  readonly bytesInFlightMax?: number;
  /** A vault id that may be written there, 32 hex digits; default: any. */
  readonly vault?: string;
  open(): Promise<OpenedPlace>;
};

/** Registers the cases. */
export function testReplicaStore(what: StoreUnderTest): void {
  describe(`replica store: ${what.name}`, () => {
    let place: OpenedPlace;
    let store: ReplicaStore;
    let roots = 0;
    const vault = what.vault ?? "5e".repeat(16);
    const packOf = (bytes: Uint8Array) => packKey(vault, createHash("sha256").update(bytes).digest());
    const newRoot = () => rootKey(vaultFolder(vault), ++roots);

    beforeAll(async () => {
      place = await what.open();
      store = place.store;
    });
    afterAll(async () => {
      await store.close();
      await place.remove();
    });

    async function listed(prefix: string): Promise<StoredObject[]> {
      const found: StoredObject[] = [];
      for await (const object of store.list(prefix)) found.push(object);
      return found;
    }

    async function roundTrip(bytes: Buffer): Promise<void> {
      const key = packOf(bytes);
      const put = await store.putIfAbsent(key, sourceOf(bytes));
      expect(put.outcome).toBe("created");
      expect(await store.head(key)).toEqual({ bytes: bytes.length });
      const back = await store.getRange(key, 0, bytes.length);
      expect(back.equals(bytes)).toBe(true);
      expect(await store.putIfAbsent(key, sourceOf(bytes))).toEqual({ outcome: "exists" });
    }

    it("says what it is, without secrets", () => {
      expect(store.conditionalPuts).toBe(what.conditionalPuts);
      expect(store.url).not.toMatch(/secret|password|token/i);
    });

    it.each([0, 1, 4096, 100_000, ...what.boundaries.flatMap((at) => [at - 1, at, at + 1])])(
      "stores and gives back %i bytes",
      async (length) => {
        await roundTrip(seededBytes(`object of ${length}`, length));
      },
    );

    it("stores 48 MiB, and gives any range of it", async () => {
      const bytes = seededBytes("large object", 48 * MiB);
      const key = packOf(bytes);
      expect(await store.putIfAbsent(key, sourceOf(bytes))).toMatchObject({ outcome: "created" });
      expect((await store.getRange(key, 0, bytes.length)).equals(bytes)).toBe(true);
      const ranges: [number, number][] = [[0, 1], [1, 4095], [8 * MiB - 1, 2], [5 * MiB + 7, MiB], [bytes.length - 1, 1], [1000, 0]]; // biome-ignore format: one line
      for (const [offset, length] of ranges) {
        const range = await store.getRange(key, offset, length);
        expect(range.equals(bytes.subarray(offset, offset + length))).toBe(true);
      }
    });

    it("brings a range into memory that the reader gives", async () => {
      const bytes = seededBytes("ranges in memory", 3 * MiB + 5);
      const key = packOf(bytes);
      await store.putIfAbsent(key, sourceOf(bytes));
      for (const [offset, length] of [
        [0, bytes.length],
        [MiB - 3, MiB],
        [17, 1],
      ] as const) {
        const given: Buffer[] = [];
        const memory = (wanted: number): Buffer => {
          const piece = Buffer.alloc(wanted + 64).subarray(16, 16 + wanted);
          given.push(piece);
          return piece;
        };
        const range = await store.getRange(key, offset, length, undefined, memory);
        expect(range.equals(bytes.subarray(offset, offset + length))).toBe(true);
        expect(range.buffer).toBe(given.at(-1)?.buffer);
        expect(range.byteOffset).toBe(16);
      }
    });

    it("refuses ranges that end after the object, and what is not there", async () => {
      const bytes = seededBytes("short object", 1000);
      const key = packOf(bytes);
      await store.putIfAbsent(key, sourceOf(bytes));
      for (const [offset, length] of [
        [999, 2],
        [1000, 1],
        [5000, 10],
        [0, 1001],
      ] as const) {
        // biome-ignore format: one line
        await expect(store.getRange(key, offset, length)).rejects.toMatchObject({
          code: ErrorCode.replicaDamaged,
        });
      }
      const missing = packOf(Buffer.from("never put"));
      await expect(store.getRange(missing, 0, 1)).rejects.toMatchObject({ code: ErrorCode.notFound });
      expect(await store.head(missing)).toBeUndefined();
      expect(await store.delete(missing)).toBe("absent");
    });

    it("never changes what is there", async () => {
      const key = newRoot();
      const [first, second] = [Buffer.from('{"first":1}\n'), Buffer.from('{"second":22}\n')];
      expect(await store.putIfAbsent(key, sourceOf(first))).toMatchObject({ outcome: "created" });
      expect(await store.putIfAbsent(key, sourceOf(second))).toEqual({ outcome: "exists" });
      expect((await store.getRange(key, 0, first.length)).equals(first)).toBe(true);
      expect(await store.head(key)).toEqual({ bytes: first.length });
    });

    it.runIf(what.conditionalPuts)("lets one of twenty racers win", async () => {
      const others = await Promise.all([place.reopen(), place.reopen(), place.reopen()]);
      for (let round = 0; round < 3; round++) {
        const key = newRoot();
        const racers = Array.from({ length: 20 }, (_, index) => Buffer.from(`{"racer":${index}}\n`));
        const results = await Promise.all(
          racers.map((bytes, index) => [store, ...others][index % 4]!.putIfAbsent(key, sourceOf(bytes))),
        );
        const winners = results.flatMap(({ outcome }, index) => (outcome === "created" ? [index] : []));
        expect(winners).toHaveLength(1);
        const won = racers[winners[0]!]!;
        expect((await store.getRange(key, 0, won.length)).equals(won)).toBe(true);
      }
      await Promise.all(others.map((other) => other.close()));
    });

    it("heals: puts the bytes there whatever is there", async () => {
      const bytes = seededBytes("to be healed", 70_000);
      const key = packOf(bytes);
      await store.heal(key, sourceOf(bytes));
      await store.heal(key, sourceOf(bytes));
      expect((await store.getRange(key, 0, bytes.length)).equals(bytes)).toBe(true);
    });

    it("lists what is under a prefix, and nothing else", async () => {
      const segments = Array.from({ length: 12 }, (_, index) => seededBytes(`segment ${index}`, 100 + index));
      const keyOf = (bytes: Uint8Array) =>
        namedKey(vaultFolder(vault), "index", createHash("sha256").update(bytes).digest());
      await Promise.all(segments.map((bytes) => store.putIfAbsent(keyOf(bytes), sourceOf(bytes))));
      const order = (a: StoredObject, b: StoredObject) => (a.key < b.key ? -1 : 1);
      const expected = segments.map((bytes) => ({ key: keyOf(bytes), bytes: bytes.length })).sort(order);
      expect((await listed(`${vaultFolder(vault)}index/`)).sort(order)).toEqual(expected);
      expect(await listed(`${vaultFolder(vault)}catalog/`)).toEqual([]);
      const all = await listed("");
      expect(all).toEqual(expect.arrayContaining(expected));
      expect(new Set(all.map(({ key }) => key)).size).toBe(all.length);
    });

    it("deletes", async () => {
      const bytes = seededBytes("to be deleted", 3000);
      const key = packOf(bytes);
      await store.putIfAbsent(key, sourceOf(bytes));
      expect(await store.delete(key)).toBe("deleted");
      expect(await store.head(key)).toBeUndefined();
      expect(await store.delete(key)).toBe("absent");
      expect(await store.putIfAbsent(key, sourceOf(bytes))).toMatchObject({ outcome: "created" });
    });

    it("shows another store what this one wrote", async () => {
      const bytes = seededBytes("seen by others", 5000);
      await store.putIfAbsent(packOf(bytes), sourceOf(bytes));
      const other = await place.reopen();
      expect((await other.getRange(packOf(bytes), 0, bytes.length)).equals(bytes)).toBe(true);
      await other.close();
    });

    it.each([
      "",
      "/",
      "a/",
      "/a",
      "a//b",
      "../a",
      "a/../b",
      "a/./b",
      ".hidden",
      "a/.b",
      "a\\b",
      "a b",
      "a\0b",
      "a\nb",
      "ä",
      "a/b.tmp",
      "a?b",
      "a%2fb",
      "a#b",
    ])("refuses the key %j", async (key) => {
      // biome-ignore format: one line
      const source = sourceOf(Buffer.from("x"));
      const refused = { code: ErrorCode.usage };
      await expect(store.putIfAbsent(key, source)).rejects.toMatchObject(refused);
      await expect(store.heal(key, source)).rejects.toMatchObject(refused);
      await expect(store.getRange(key, 0, 1)).rejects.toMatchObject(refused);
      await expect(store.head(key)).rejects.toMatchObject(refused);
      await expect(store.delete(key)).rejects.toMatchObject(refused);
    });

    it("refuses keys that are too long", async () => {
      for (const key of [`${"a/".repeat(600)}b`, "x".repeat(1025)]) {
        await expect(store.head(key)).rejects.toMatchObject({ code: ErrorCode.usage });
      }
    });

    it.each(["../", "a", "/", "a//", "a/../", ".x/"])("refuses to list %j", async (prefix) => {
      await expect(listed(prefix)).rejects.toMatchObject({ code: ErrorCode.usage });
    });

    it("stores many small objects at a time", async () => {
      const objects = Array.from({ length: 400 }, (_, index) =>
        seededBytes(`small ${index}`, 100 + index * 640),
      );
      let inFlight = 0;
      let peak = 0;
      const put = async (bytes: Buffer) => {
        let begun = false;
        const source = watchedSource(sourceOf(bytes), () => {
          if (!begun) inFlight += bytes.length;
          begun = true;
          peak = Math.max(peak, inFlight);
        });
        expect(await store.putIfAbsent(packOf(bytes), source)).toMatchObject({ outcome: "created" });
        inFlight -= bytes.length;
      };
      const waves = what.bytesInFlightMax === undefined ? 20 : 1;
      const each = objects.length / waves;
      for (let wave = 0; wave < waves; wave++) {
        await Promise.all(objects.slice(wave * each, (wave + 1) * each).map(put));
      }
      if (what.bytesInFlightMax !== undefined) expect(peak).toBeLessThanOrEqual(what.bytesInFlightMax);
      for (const bytes of objects.filter((_, index) => index % 40 === 0)) {
        expect((await store.getRange(packOf(bytes), 0, bytes.length)).equals(bytes)).toBe(true);
      }
    });

    it("counts requests and bytes", async () => {
      const other = await place.reopen();
      const total = () => Object.values(other.usage().requests).reduce((sum, count) => sum + count, 0);
      const bytes = seededBytes("counted", 50_000);
      const before = total();
      await other.putIfAbsent(packOf(bytes), sourceOf(bytes));
      const afterPut = other.usage();
      expect(total()).toBeGreaterThan(before);
      expect(afterPut.sentBytes).toBeGreaterThanOrEqual(bytes.length);
      await other.getRange(packOf(bytes), 0, bytes.length);
      expect(other.usage().receivedBytes - afterPut.receivedBytes).toBeGreaterThanOrEqual(bytes.length);
      expect(other.usage().retries).toBe(0);
      await other.close();
    });

    testInterruptedPuts(what, {
      store: () => store,
      reopen: () => place.reopen(),
      packOf,
      listed: () => listed(vaultFolder(vault)),
    });
  });
}
