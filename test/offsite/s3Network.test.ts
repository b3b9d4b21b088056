// S3 replicas over a bad network, against a real server: what is acknowledged is there and whole, what cannot be is said.
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import type { ReplicaStore } from "../../gateway/replica/replicaStore.ts";
import { ErrorCode, isHoldfastError } from "../../vault/errors.ts";
import { sourceOf } from "../conformance/sources.ts";
import { type Choose, type Fault, FaultProxy, randomFaults } from "../faults/faultProxy.ts";
import { ChainPlace, contentOf } from "../gateway/replica/chainFixture.ts";
import { canRunRgw, Rgw } from "../testbeds/rgw.ts";
import { seededBytes } from "../vault/seeded.ts";

const MiB = 1 << 20;
const bucket = "network";

describe.runIf(canRunRgw("S3 replicas over a bad network"))("S3 replicas over a bad network", () => {
  let rgw: Rgw;
  let proxy: FaultProxy;
  let store: ReplicaStore;
  beforeAll(async () => {
    rgw = await Rgw.start();
    await rgw.makeBucket(bucket);
    proxy = await FaultProxy.start("http", rgw.endpoint);
    const endpoint = `http://127.0.0.1:${proxy.port}`;
    store = await rgw.store(
      bucket,
      { endpoint },
      { tuning: { windowMs: 400, answerWindows: 5, bytesPerSecondMin: 4096 } },
    );
  });
  afterEach(() => {
    proxy.choose = () => undefined;
  });
  afterAll(async () => {
    await store?.close();
    await proxy?.close();
    await rgw.stop();
  });

  /** The fault for the first `count` exchanges of these methods from now on. */
  function first(count: number, methods: string, fault: Fault): Choose {
    let left = count;
    return ({ method }) => (methods.includes(method) && left-- > 0 ? fault : undefined);
  }

  async function isThere(key: string, bytes: Buffer): Promise<void> {
    expect((await store.getRange(key, 0, bytes.length)).equals(bytes)).toBe(true);
  }

  const refused: Fault = {
    kind: "answer",
    status: 503,
    headers: { "content-type": "application/xml" },
    body: "<?xml version='1.0'?><Error><Code>SlowDown</Code><Message>Please reduce your request rate</Message></Error>",
  };

  it.each([
    ["are cut after some bytes", { kind: "reset", direction: "up", afterBytes: 300_000 }],
    ["are cut at once", { kind: "reset", direction: "up", afterBytes: 0 }],
    ["hang while they are sent", { kind: "stall", direction: "up", afterBytes: 100_000 }],
    ["drip while they are sent", { kind: "drip", direction: "up", everyMs: 100 }],
    ["lose a bit on the way", { kind: "alter", direction: "up", at: 250_000 }],
    ["are answered 503 SlowDown", refused],
    ["are answered 500 without words", { kind: "answer", status: 500 }],
    ["are answered 429", { kind: "answer", status: 429, body: "later" }],
    [
      "are answered with a success that is none",
      { kind: "answer", status: 502, body: "<html>bad gateway</html>" },
    ],
  ] as [string, Fault][])("puts that %s are sent again", async (name, fault) => {
    const bytes = seededBytes(name, 3 * MiB);
    const before = [store.usage().retries, proxy.fired[fault.kind] ?? 0] as const;
    proxy.choose = first(2, "PUT", fault);
    const key = `network/${name.replaceAll(" ", "-")}`;
    expect(await store.putIfAbsent(key, sourceOf(bytes))).toEqual({ outcome: "created", proof: "checksum" });
    expect(store.usage().retries - before[0]).toBeGreaterThanOrEqual(2);
    expect((proxy.fired[fault.kind] ?? 0) - before[1]).toBe(2);
    await isThere(key, bytes);
  });

  it.each([
    ["breaks off", { kind: "reset", direction: "down", afterBytes: 400_000 }],
    ["hangs", { kind: "stall", direction: "down", afterBytes: 400_000 }],
    ["drips", { kind: "drip", direction: "down", everyMs: 50 }],
    ["comes late", { kind: "latency", ms: 2800 }],
    ["is 503 SlowDown", refused],
  ] as [string, Fault][])("a read whose answer %s is made again", async (name, fault) => {
    const bytes = seededBytes(`read ${name}`, MiB);
    const key = `network/read-${name.replaceAll(" ", "-")}`;
    await store.putIfAbsent(key, sourceOf(bytes));
    const before = store.usage().retries;
    proxy.choose = first(2, "GET", fault);
    await isThere(key, bytes);
    expect(store.usage().retries - before).toBeGreaterThanOrEqual(2);
  });

  it("knows its own object when the answer to its put was lost", async () => {
    const bytes = seededBytes("lost answer", 50_000);
    proxy.choose = first(1, "PUT", { kind: "reset", direction: "down", afterBytes: 0 });
    expect(await store.putIfAbsent("network/lost", sourceOf(bytes))).toEqual({
      outcome: "created",
      proof: "checksum",
    });
    await isThere("network/lost", bytes);
    proxy.choose = first(1, "PUT", { kind: "answer", status: 500 });
    expect(await store.putIfAbsent("network/lost", sourceOf(Buffer.from("others")))).toEqual({
      outcome: "exists",
    });
    await isThere("network/lost", bytes);
  });

  it("knows its own object when the answer to the last request of its parts was lost", async () => {
    const bytes = seededBytes("lost complete", 41 * MiB);
    let left = 1;
    proxy.choose = ({ method, path }) =>
      method === "POST" && path.includes("uploadId=") && left-- > 0
        ? { kind: "reset", direction: "down", afterBytes: 0 }
        : undefined;
    expect(await store.putIfAbsent("network/parts", sourceOf(bytes))).toEqual({
      outcome: "created",
      proof: "checksum",
    });
    expect(left).toBeLessThan(1);
    await isThere("network/parts", bytes);
  });

  it("sends the next large objects in parts after one was lost under way", async () => {
    const bytes = seededBytes("cautious", 20 * MiB);
    proxy.choose = first(1, "PUT", { kind: "reset", direction: "up", afterBytes: 15 * MiB });
    await store.putIfAbsent("network/cautious-1", sourceOf(bytes));
    const before = store.usage().requests.UploadPart ?? 0;
    await store.putIfAbsent("network/cautious-2", sourceOf(bytes));
    expect((store.usage().requests.UploadPart ?? 0) - before).toBe(2);
    await isThere("network/cautious-2", bytes);
  });

  it("says that the replica is unreachable when no try succeeds, and goes on afterwards", async () => {
    const impatient = await rgw.store(
      bucket,
      { endpoint: `http://127.0.0.1:${proxy.port}` },
      { tuning: { triesMax: 2, windowMs: 300, answerWindows: 2 } },
    );
    const unreachable = { code: ErrorCode.replicaUnreachable, next: expect.any(String) };
    const bytes = seededBytes("unreachable", 200_000);
    for (const fault of [
      refused,
      { kind: "stall", direction: "down", afterBytes: 0 },
      { kind: "answer", status: 504 },
    ] as Fault[]) {
      // biome-ignore format: one line
      proxy.choose = () => fault;
      await expect(impatient.putIfAbsent("network/no", sourceOf(bytes))).rejects.toMatchObject(unreachable);
      await expect(impatient.getRange("network/no", 0, 1)).rejects.toMatchObject(unreachable);
      await expect(impatient.head("network/no")).rejects.toMatchObject(unreachable);
    }
    proxy.choose = () => undefined;
    const put = await store.putIfAbsent("network/no", sourceOf(bytes));
    expect(["created", "exists"]).toContain(put.outcome); // a stalled answer may have hidden a success
    await isThere("network/no", bytes);
    await impatient.close();
    const nowhere = await rgw.store(bucket, { endpoint: "http://127.0.0.1:1" }, { tuning: { triesMax: 2 } });
    await expect(nowhere.head("network/no")).rejects.toMatchObject(unreachable);
    await nowhere.close();
  });

  it("does not take an answer that is larger than what was asked for", async () => {
    proxy.choose = () => ({ kind: "answer", status: 206, body: "x".repeat(200_000) });
    const impatient = await rgw.store(
      bucket,
      { endpoint: `http://127.0.0.1:${proxy.port}` },
      { tuning: { triesMax: 2 } },
    );
    await expect(impatient.getRange("network/large", 0, 10)).rejects.toMatchObject({
      code: ErrorCode.replicaUnreachable,
      message: expect.stringMatching(/an answer of .* bytes/),
    });
    await impatient.close();
  });

  it("keeps one chain of roots while three gateways race and answers are lost", async () => {
    const seed = Number(process.env.HOLDFAST_SEED ?? Math.floor(Math.random() * 2 ** 31));
    console.log(`S3 races over roots: HOLDFAST_SEED=${seed}`);
    proxy.choose = randomFaults(seed, 0.25, [
      { kind: "latency", ms: 30 },
      { kind: "answer", status: 500 },
      { kind: "reset", direction: "down", afterBytes: 0 },
      { kind: "reset", direction: "up", afterBytes: 100 },
    ]);
    const memories = await ChainPlace.make();
    const appended: number[] = [];
    const race = async (name: string) => {
      const own = await rgw.store(
        bucket,
        { endpoint: `http://127.0.0.1:${proxy.port}` },
        { tuning: { triesMax: 30 } },
      );
      const { chain } = await memories.gateway(name, own);
      for (let done = 0; done < 6; ) {
        try {
          const { outcome, found } = await chain.append(contentOf(`${name} ${done}`), { takeOver: true });
          appended.push(found.root.generation);
          if (outcome === "appended") done++;
        } catch (error) {
          if (!isHoldfastError(error, ErrorCode.replicaFenced)) throw error;
          await chain.newest();
        }
      }
      await own.close();
    };
    await Promise.all(["aa", "bb", "cc"].map(race));
    proxy.choose = () => undefined;
    const sorted = appended.toSorted((a, b) => a - b);
    expect(sorted).toEqual(Array.from({ length: 18 }, (_, index) => index + 1));
    const { chain } = await memories.gateway("dd", store);
    expect((await chain.newest())?.root.generation).toBe(18);
    await memories.remove();
  });

  it("stores everything whole through faults at random", async () => {
    const seed = Number(process.env.HOLDFAST_SEED ?? Math.floor(Math.random() * 2 ** 31));
    console.log(`S3 faults at random: HOLDFAST_SEED=${seed}`);
    const patient = await rgw.store(
      bucket,
      { endpoint: `http://127.0.0.1:${proxy.port}` },
      { tuning: { triesMax: 30, windowMs: 400, answerWindows: 5 } },
    );
    proxy.choose = randomFaults(seed, 0.3, [
      refused,
      { kind: "latency", ms: 20 },
      { kind: "answer", status: 500 },
      { kind: "reset", direction: "up", afterBytes: 20_000 },
      { kind: "reset", direction: "down", afterBytes: 0 },
      { kind: "reset", direction: "down", afterBytes: 100 },
      { kind: "stall", direction: "up", afterBytes: 1000 },
      { kind: "alter", direction: "up", at: 77 },
    ]);
    const objects = Array.from({ length: 60 }, (_, index) =>
      seededBytes(`random ${index}`, 1 + index * 7000),
    );
    const puts = await Promise.all(
      objects.map((bytes, index) => patient.putIfAbsent(`random/${index}`, sourceOf(bytes))),
    );
    proxy.choose = () => undefined;
    expect(puts.map(({ outcome }) => outcome)).toEqual(objects.map(() => "created"));
    for (const [index, bytes] of objects.entries()) await isThere(`random/${index}`, bytes);
    await patient.close();
  });
});
