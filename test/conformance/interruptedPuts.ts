// What a replica store does with puts that go wrong, are stopped, or are resumed: part of the suite in replicaStore.ts.
import { expect, it } from "vitest";
import type { ReplicaStore, StoredObject } from "../../gateway/replica/replicaStore.ts";
import { ErrorCode } from "../../vault/errors.ts";
import { seededBytes } from "../vault/seeded.ts";
import type { StoreUnderTest } from "./replicaStore.ts";
import { alteredSource, sourceOf, watchedSource } from "./sources.ts";

const MiB = 1 << 20;

/** The place under test. */
type Given = {
  store(): ReplicaStore;
  reopen(): Promise<ReplicaStore>;
  /** The key of a pack of these bytes. */
  packOf(bytes: Uint8Array): string;
  /** All objects of the vault. */
  listed(): Promise<StoredObject[]>;
};

/** Registers the cases. */
export function testInterruptedPuts(what: StoreUnderTest, given: Given): void {
  it.each([
    ["a small object", 9000],
    ["a large one", 40 * MiB],
  ] as const)(
    // biome-ignore format: one line
    "refuses %s whose bytes are not those of its hash, and leaves nothing behind",
    async (_name, length) => {
      const bytes = seededBytes(`altered ${length}`, length);
      const key = given.packOf(bytes);
      await expect(given.store().putIfAbsent(key, alteredSource(bytes, length - 3))).rejects.toMatchObject({
        code: ErrorCode.corrupt,
      });
      await expect(given.store().heal(key, alteredSource(bytes, 5))).rejects.toMatchObject({
        code: ErrorCode.corrupt,
      });
      expect(await given.store().head(key)).toBeUndefined();
      expect((await given.listed()).map((object) => object.key)).not.toContain(key);
      expect(await given.store().putIfAbsent(key, sourceOf(bytes))).toMatchObject({ outcome: "created" });
    },
  );

  it("passes on a source's own failure, and leaves nothing behind", async () => {
    const bytes = seededBytes("unreadable", 300_000);
    const broken = watchedSource(sourceOf(bytes), () => {
      throw new Error("the disk says no");
    });
    await expect(given.store().putIfAbsent(given.packOf(bytes), broken)).rejects.toThrow("the disk says no");
    expect(await given.store().head(given.packOf(bytes))).toBeUndefined();
  });

  it("stops when it is told to", async () => {
    const bytes = seededBytes("stopped", 20 * MiB);
    const key = given.packOf(bytes);
    const stopped = { code: ErrorCode.cancelled };
    const before = AbortSignal.abort();
    await expect(given.store().putIfAbsent(key, sourceOf(bytes), { signal: before })).rejects.toMatchObject(
      stopped,
    );
    await expect(given.store().getRange(key, 0, 1, before)).rejects.toMatchObject(stopped);
    await expect(given.store().head(key, before)).rejects.toMatchObject(stopped);
    const during = new AbortController();
    const source = watchedSource(sourceOf(bytes), () => during.abort());
    await expect(given.store().putIfAbsent(key, source, { signal: during.signal })).rejects.toMatchObject(
      stopped,
    );
    expect(await given.store().head(key)).toBeUndefined();
    expect(await given.store().putIfAbsent(key, sourceOf(bytes))).toMatchObject({ outcome: "created" });
  });

  it("asks before it sends, for every byte", async () => {
    const bytes = seededBytes("throttled", 18 * MiB);
    let asked = 0;
    const throttle = async (count: number) => {
      asked += count;
    };
    await given.store().putIfAbsent(given.packOf(bytes), sourceOf(bytes), { throttle });
    expect(asked).toBeGreaterThanOrEqual(bytes.length);
    expect(asked).toBeLessThanOrEqual(bytes.length + MiB);
  });

  it.runIf(what.resumes)("takes an interrupted put up where it stopped", async () => {
    const bytes = seededBytes("interrupted", 64 * MiB);
    const key = given.packOf(bytes);
    const stop = new AbortController();
    let resume: string | undefined;
    const source = watchedSource(sourceOf(bytes), (offset) => {
      if (offset >= 48 * MiB) stop.abort();
    });
    const savePart = (kept: string | undefined) => {
      resume = kept;
    };
    await expect(
      given.store().putIfAbsent(key, source, { signal: stop.signal, savePart }),
    ).rejects.toMatchObject({
      code: ErrorCode.cancelled,
    });
    expect(resume).toBeTypeOf("string");
    expect(await given.store().head(key)).toBeUndefined();
    const next = await given.reopen();
    expect(await next.putIfAbsent(key, sourceOf(bytes), { resume, savePart })).toMatchObject({
      outcome: "created",
    });
    expect(resume).toBeUndefined();
    expect(next.usage().sentBytes).toBeLessThan(bytes.length);
    expect((await next.getRange(key, 0, bytes.length)).equals(bytes)).toBe(true);
    await next.close();
  });

  it.each([
    ["empty", ""],
    ["no JSON", "nonsense"],
    ["of no upload", '{"upload":"none","partBytes":1}'],
    ["cut off", "{"],
    ["very long", "x".repeat(100_000)],
  ])("is not led astray by a resume text that is %s", async (_name, resume) => {
    const bytes = seededBytes(`resumed from ${resume.slice(0, 50)} ${resume.length}`, 17 * MiB);
    const put = await given.store().putIfAbsent(given.packOf(bytes), sourceOf(bytes), { resume });
    expect(put.outcome).toBe("created");
    expect((await given.store().getRange(given.packOf(bytes), 0, bytes.length)).equals(bytes)).toBe(true);
  });

  it("does nothing after it was closed", async () => {
    const other = await given.reopen();
    await other.close();
    await other.close();
    const cancelled = { code: ErrorCode.cancelled };
    const key = given.packOf(Buffer.from("x"));
    await expect(other.putIfAbsent(key, sourceOf(Buffer.from("x")))).rejects.toMatchObject(cancelled);
    await expect(other.getRange(key, 0, 1)).rejects.toMatchObject(cancelled);
    await expect(other.head(key)).rejects.toMatchObject(cancelled);
    await expect(other.delete(key)).rejects.toMatchObject(cancelled);
  });

  it("cancels what runs when it is closed", async () => {
    const other = await given.reopen();
    const bytes = seededBytes("closed under way", 20 * MiB);
    const source = watchedSource(sourceOf(bytes), () => void other.close());
    await expect(other.putIfAbsent(given.packOf(bytes), source)).rejects.toMatchObject({
      code: ErrorCode.cancelled,
    });
    expect(await given.store().head(given.packOf(bytes))).toBeUndefined();
  });
}
