import { copyFile, readdir, rename, unlink, writeFile } from "node:fs/promises";
import { dirname } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { newestGeneration } from "../../../gateway/replica/chain/newestGeneration.ts";
import { ErrorCode, HoldfastError } from "../../../vault/errors.ts";
import { encodeRoot } from "../../../vault/replica/root.ts";
import { ChainPlace, contentOf, rootsKey, watchedStore } from "./chainFixture.ts";

let place: ChainPlace;
beforeEach(async () => {
  place = await ChainPlace.make();
});
afterEach(() => place.remove());

const unreachable = () => new HoldfastError(ErrorCode.replicaUnreachable, "the cable was pulled");
const rolledBack = { code: ErrorCode.rollbackDetected };
const fenced = { code: ErrorCode.replicaFenced };

test("an empty chain, then one root after the other", async () => {
  const { chain } = await place.gateway("one");
  expect(await chain.newest()).toBeUndefined();
  const first = await chain.append(contentOf("first"));
  expect(first).toMatchObject({ outcome: "appended", found: { root: { generation: 1, fence: 1 } } });
  for (let i = 2; i <= 20; i++) await chain.append(contentOf(`${i}`));
  const newest = await chain.newest();
  expect(newest?.root).toMatchObject({ generation: 20, fence: 1, ...contentOf("20") });
  const { chain: reader } = await place.gateway("reader");
  expect(await reader.newest()).toEqual(newest);
});

test("costs two requests a root, and three to find that nothing changed", async () => {
  const store = await place.store();
  const { chain } = await place.gateway("one", store);
  await chain.append(contentOf("first"));
  const before = store.usage().requests;
  await chain.append(contentOf("second"));
  const after = store.usage().requests;
  expect({ ...after, put: after.put! - before.put!, get: after.get! - (before.get ?? 0) }).toEqual({ head: before.head, put: 1, get: 1 }); // biome-ignore format: one line
  await chain.newest();
  expect(store.usage().requests).toEqual({ head: before.head! + 2, put: 2, get: after.get! + 1 });
});

describe("another writer", () => {
  test("fences, until this one takes over; then the other is fenced", async () => {
    const a = await place.gateway("a");
    const b = await place.gateway("b");
    await a.chain.append(contentOf("a1"));
    // This replica has no row here, hence no name to say in a command.
    const next = expect.not.stringContaining("NAME");
    await expect(b.chain.append(contentOf("b1"))).rejects.toMatchObject({ ...fenced, next });
    expect(await readdir(dirname(place.rootFile(1)))).toHaveLength(1);
    const taken = await b.chain.append(contentOf("b1"), { takeOver: true });
    expect(taken.found.root).toMatchObject({ generation: 2, fence: 2 });
    await b.chain.append(contentOf("b2"));
    await expect(a.chain.append(contentOf("a2"))).rejects.toMatchObject(fenced);
    await expect(a.chain.append(contentOf("a2"))).rejects.toMatchObject(fenced);
    expect(a.chain.isOwn((await a.chain.newest())!)).toBe(false);
    const back = await a.chain.append(contentOf("a3"), { takeOver: true });
    expect(back.found.root).toMatchObject({ generation: 4, fence: 3 });
    await expect(b.chain.append(contentOf("b3"))).rejects.toMatchObject(fenced);
  });

  test("on a copy of this one's disk is another, though it has the same id", async () => {
    const a = await place.gateway("a");
    await a.chain.append(contentOf("a1"));
    const copy = await place.clone(a, "copy");
    await copy.chain.append(contentOf("copy's"));
    await expect(a.chain.append(contentOf("a2"))).rejects.toMatchObject(fenced);
    await a.chain.newest();
    await expect(a.chain.append(contentOf("a2"))).rejects.toMatchObject(fenced);
  });

  test("cannot be taken over from where put-if-absent does not work", async () => {
    const a = await place.gateway("a", await place.store(false));
    await a.chain.append(contentOf("a1"));
    await a.chain.append(contentOf("a2"));
    const b = await place.gateway("b", await place.store(false));
    await expect(b.chain.append(contentOf("b1"), { takeOver: true })).rejects.toMatchObject({
      code: ErrorCode.replicaRefused,
    });
    expect((await a.chain.append(contentOf("a3"))).found.root.generation).toBe(3);
  });
});

describe("a put without an answer", () => {
  test("that was done is found to be ours, by the same chain and after a restart", async () => {
    const { memory } = place.memory("one");
    let lost = true;
    const store = watchedStore(await place.store(), {
      after: () => {
        if (lost) throw unreachable();
      },
    });
    const chain = place.chain(memory, store);
    await expect(chain.append(contentOf("first"))).rejects.toMatchObject({
      code: ErrorCode.replicaUnreachable,
    });
    const restarted = place.chain(memory, store);
    const found = await restarted.newest();
    expect(found?.root.generation).toBe(1);
    expect(restarted.isOwn(found!)).toBe(true);
    lost = false;
    expect((await chain.append(contentOf("second"))).found.root.generation).toBe(2);
  });

  test("that is sent again by the store is settled by its nonce", async () => {
    const { memory } = place.memory("one");
    const real = await place.store();
    const store = new Proxy(real, {
      get: (target, name) =>
        name === "putIfAbsent"
          ? async (...args: Parameters<typeof real.putIfAbsent>) => {
              await target.putIfAbsent(...args);
              return target.putIfAbsent(...args); // answers "exists"
            }
          : ((Reflect.get(target, name, target) as () => unknown).bind?.(target) ??
            Reflect.get(target, name, target)),
    });
    const chain = place.chain(memory, store);
    expect((await chain.append(contentOf("first"))).outcome).toBe("appended");
    expect((await chain.append(contentOf("second"))).outcome).toBe("appended");
  });

  test("that comes late stands before the next try, which begins again from it", async () => {
    const { memory } = place.memory("one");
    let late: (() => Promise<unknown>) | undefined;
    const real = await place.store();
    const store = new Proxy(real, {
      get(target, name) {
        const member = Reflect.get(target, name, target);
        if (name !== "putIfAbsent") return typeof member === "function" ? member.bind(target) : member;
        return async (...args: Parameters<typeof real.putIfAbsent>) => {
          if (late === undefined) {
            late = () => target.putIfAbsent(...args);
            throw unreachable();
          }
          await late(); // the first one's bytes arrive just before the second's
          return target.putIfAbsent(...args);
        };
      },
    });
    const chain = place.chain(memory, store);
    await expect(chain.append(contentOf("first"))).rejects.toMatchObject({
      code: ErrorCode.replicaUnreachable,
    });
    const second = await chain.append(contentOf("second"));
    expect(second.outcome).toBe("overtaken");
    expect(second.found.root).toMatchObject(contentOf("first"));
    late = async () => undefined;
    const third = await chain.append(contentOf("second"));
    expect(third).toMatchObject({ outcome: "appended", found: { root: { generation: 2 } } });
  });
});

describe("an old state that was put back", () => {
  test.each([
    ["its newest root is gone", (last: number) => unlink(place.rootFile(last))],
    [
      "its newest root is an older one",
      (last: number) => copyFile(place.rootFile(last - 1), place.rootFile(last)),
    ],
    ["all of its roots are gone", () => rename(dirname(place.rootFile(1)), `${place.folder}/elsewhere`)],
  ] as const)("is detected: %s", async (_, harm) => {
    const a = await place.gateway("a");
    const reader = await place.gateway("reader");
    for (let i = 1; i <= 5; i++) await a.chain.append(contentOf(`${i}`));
    await reader.chain.newest();
    await harm(5);
    await expect(a.chain.append(contentOf("6"))).rejects.toMatchObject(rolledBack);
    await expect(a.chain.newest()).rejects.toMatchObject(rolledBack);
    await expect(reader.chain.newest()).rejects.toMatchObject(rolledBack);
    await expect(reader.chain.append(contentOf("6"), { takeOver: true })).rejects.toMatchObject(rolledBack);
  });

  test("is detected where it went on from there", async () => {
    const a = await place.gateway("a");
    const reader = await place.gateway("reader");
    for (let i = 1; i <= 5; i++) await a.chain.append(contentOf(`${i}`));
    await reader.chain.newest();
    for (const generation of [3, 4, 5]) await unlink(place.rootFile(generation));
    const other = await place.gateway("other");
    for (const label of ["3'", "4'", "5'", "6'"])
      await other.chain.append(contentOf(label), { takeOver: true });
    await expect(reader.chain.newest()).rejects.toMatchObject(rolledBack);
  });

  test("roots that do not follow each other are detected", async () => {
    const a = await place.gateway("a");
    const reader = await place.gateway("reader");
    await a.chain.append(contentOf("1"));
    await reader.chain.newest();
    for (let i = 2; i <= 6; i++) await a.chain.append(contentOf(`${i}`));
    const { root } = (await a.chain.newest())!;
    await writeFile(place.rootFile(4), encodeRoot({ ...root, generation: 4 }, rootsKey));
    await expect(reader.chain.newest()).rejects.toMatchObject(rolledBack);
  });
});

test.each([
  ["made with another key", (bytes: Buffer) => Buffer.from(bytes.toString().replace(/.(\n)$/, "x$1"))],
  ["empty", () => Buffer.alloc(0)],
  ["cut short", (bytes: Buffer) => bytes.subarray(0, 200)],
  ["too long", () => Buffer.alloc(5000, 0x20)],
])("a root that is %s is damage, and nothing is appended", async (_, forge) => {
  const a = await place.gateway("a");
  await a.chain.append(contentOf("1"));
  const { root } = await a.chain.append(contentOf("2")).then(({ found }) => found);
  await writeFile(place.rootFile(3), forge(encodeRoot({ ...root, generation: 3 }, Buffer.alloc(32))));
  const damaged = { code: ErrorCode.replicaDamaged };
  await expect(a.chain.append(contentOf("3"))).rejects.toMatchObject(damaged);
  await expect(a.chain.newest()).rejects.toMatchObject(damaged);
  const { chain } = await place.gateway("reader");
  await expect(chain.newest()).rejects.toMatchObject(damaged);
});

test.each([0, 1, 2, 3, 7, 8, 100, 12_345])("finds the newest of %i with few questions", async (newest) => {
  for (const known of [0, Math.floor(newest / 2), newest]) {
    let asked = 0;
    const found = await newestGeneration(known, async (generation) => {
      asked++;
      return generation <= newest;
    });
    expect(found).toBe(newest);
    expect(asked).toBeLessThanOrEqual(1 + 2 * Math.log2(newest - known + 1));
  }
});
