// A replica on another gateway over a bad network, and on a far disk that fills up: what is acknowledged is there and whole, what cannot be is said, and
// what was stopped goes on where it was.

import { createHash } from "node:crypto";
import { mkdtempSync, readdirSync, readlinkSync, rmSync, statfsSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { packKey } from "../../gateway/replica/keys.ts";
import type { PeerStore, PeerStoreOptions } from "../../gateway/replica/peer/peerStore.ts";
import { peerLimits } from "../../ingest/wire/peer.ts";
import { ErrorCode } from "../../vault/errors.ts";
import { sourceOf } from "../conformance/sources.ts";
import { type Fault, FaultProxy, randomFaults } from "../faults/faultProxy.ts";
import { createTmpfs } from "../faults/loopDisk.ts";
import { canRun } from "../faults/requirements.ts";
import { runTool, tearDownAll } from "../faults/tearDown.ts";
import { GatewayFixture } from "../gateway/gatewayFixture.ts";
import { addPeer, storeOf, type TestPeer } from "../gateway/peer/peerFixture.ts";
import { ask } from "../gateway/peer/rawPeer.ts";
import { vault } from "../gateway/peer/sampleChain.ts";
import { seededBytes } from "../vault/seeded.ts";

const MiB = 2 ** 20;
/** Waits until this process has no file below a folder open: what a stopped gateway closes in the background. */
async function filesClosed(folder: string): Promise<void> {
  const isBelow = (fd: string): boolean => {
    try {
      return readlinkSync(`/proc/self/fd/${fd}`).startsWith(`${folder}/`);
    } catch {
      return false;
    }
  };
  for (let tries = 0; tries < 500 && readdirSync("/proc/self/fd").some(isBelow); tries++) await pause(10);
}

const keyOf = (bytes: Uint8Array) => packKey(vault, createHash("sha256").update(bytes).digest());

describe("a peer over a bad network", () => {
  let fixture: GatewayFixture;
  let peer: TestPeer;
  let proxy: FaultProxy;
  const stores: PeerStore[] = [];

  beforeAll(async () => {
    fixture = await GatewayFixture.create();
    peer = await addPeer(fixture, "box");
    proxy = await FaultProxy.start("tcp", peer.token.url);
  });
  afterEach(async () => {
    proxy.choose = () => undefined;
    for (const store of stores.splice(0)) await store.close();
  });
  afterAll(async () => {
    await proxy.close();
    await fixture.remove();
  });

  /** A store behind the proxy, whose first connections meet the fault. */
  function behind(fault: Fault | undefined, count = 2, options: Partial<PeerStoreOptions> = {}): PeerStore {
    let left = count;
    proxy.choose = () => (left-- > 0 ? fault : undefined);
    const store = storeOf(peer, {
      url: `https://127.0.0.1:${proxy.port}`,
      idleMs: 1500,
      challengeOneOf: 1e9,
      socketsMax: 1,
      ...options,
    });
    stores.push(store);
    return store;
  }

  it.each([
    ["are cut after some bytes", { kind: "reset", direction: "up", afterBytes: 5 * MiB }],
    ["are cut at once", { kind: "reset", direction: "up", afterBytes: 0 }],
    ["hang while they are sent", { kind: "stall", direction: "up", afterBytes: 3 * MiB }],
    ["lose a bit on the way", { kind: "alter", direction: "up", at: 2 * MiB }],
    ["get an answer that is cut", { kind: "reset", direction: "down", afterBytes: 2500 }],
    ["get no answer", { kind: "stall", direction: "down", afterBytes: 2500 }],
  ] as [string, Fault][])("puts that %s are sent again, whole and in parts", async (name, fault) => {
    const before = proxy.fired[fault.kind] ?? 0;
    for (const length of [6 * MiB, 20 * MiB]) {
      const bytes = seededBytes(`${name} ${length}`, length);
      const store = behind(fault);
      expect(await store.putIfAbsent(keyOf(bytes), sourceOf(bytes))).toEqual({
        outcome: "created",
        proof: "hashed",
      });
      expect(store.usage().retries).toBeGreaterThan(0);
      expect((await store.getRange(keyOf(bytes), 0, length)).equals(bytes)).toBe(true);
    }
    expect((proxy.fired[fault.kind] ?? 0) - before).toBe(4);
  });

  it.each([
    ["breaks off", { kind: "reset", direction: "down", afterBytes: 400_000 }],
    ["hangs", { kind: "stall", direction: "down", afterBytes: 400_000 }],
    ["is altered", { kind: "alter", direction: "down", at: 300_000 }],
    ["comes late", { kind: "latency", ms: 300 }],
  ] as [string, Fault][])("a read whose answer %s is right in the end", async (name, fault) => {
    const bytes = seededBytes(`read ${name}`, 4 * MiB);
    await behind(undefined).putIfAbsent(keyOf(bytes), sourceOf(bytes));
    const store = behind(fault);
    expect((await store.getRange(keyOf(bytes), 0, bytes.length)).equals(bytes)).toBe(true);
    expect(proxy.fired[fault.kind]).toBeGreaterThan(0);
  });

  it("what arrived of a part before the connection broke is not sent again", async () => {
    const bytes = seededBytes("kept", 3 * peerLimits.partBytesMax);
    const stop = new AbortController();
    // One try: a second may be told where the upload is before its connection breaks, and goes on there.
    const store = behind({ kind: "reset", direction: "up", afterBytes: 6 * MiB }, 1e9, { triesMax: 1 });
    let token: string | undefined;
    const savePart = (kept: string | undefined) => {
      token = kept;
    };
    await expect(
      store.putIfAbsent(keyOf(bytes), sourceOf(bytes), { savePart, signal: stop.signal }),
    ).rejects.toMatchObject({
      code: ErrorCode.replicaUnreachable,
    });
    expect(token).toBeTypeOf("string");
    // A part that is out of place waits for what is arriving, and is told where the upload is.
    const path = `/v1/peer/uploads/${token}?offset=${bytes.length}`;
    const told = await ask(peer, { method: "PUT", path, body: Buffer.alloc(0) });
    const arrived = Number(told.json.error?.detail?.offset);
    expect(arrived).toBeGreaterThan(0);
    const next = behind(undefined);
    expect(await next.putIfAbsent(keyOf(bytes), sourceOf(bytes), { savePart, resume: token })).toMatchObject({
      outcome: "created",
    });
    expect(next.usage().sentBytes).toBe(bytes.length - arrived);
    expect(token).toBeUndefined();
  });

  it("many objects through a network where a third of the connections break", async () => {
    const seed = Number(process.env.HOLDFAST_SEED ?? process.hrtime.bigint() % 1_000_000n);
    console.log(`HOLDFAST_SEED=${seed}`);
    const store = behind(undefined, 0, { socketsMax: 8, triesMax: 12, challengeOneOf: 4 });
    proxy.choose = randomFaults(seed, 0.33, [
      { kind: "reset", direction: "up", afterBytes: 100_000 },
      { kind: "reset", direction: "down", afterBytes: 3000 },
      { kind: "stall", direction: "down", afterBytes: 4000 },
      { kind: "alter", direction: "up", at: 50_000 },
      { kind: "latency", ms: 200 },
    ]);
    const objects = Array.from({ length: 60 }, (_, i) =>
      seededBytes(`${seed} ${i}`, 1 + ((i * 7919) % 400_000)),
    );
    await Promise.all(
      objects.map(async (bytes) =>
        expect((await store.putIfAbsent(keyOf(bytes), sourceOf(bytes))).outcome).toBe("created"),
      ),
    );
    proxy.choose = () => undefined;
    for (const bytes of objects)
      expect((await store.getRange(keyOf(bytes), 0, bytes.length)).equals(bytes)).toBe(true);
    expect(store.usage().retries).toBeGreaterThan(0);
  });
});

describe.skipIf(!canRun("full disks", "mount", "fallocate"))("a peer whose disk is full", () => {
  const scratch = mkdtempSync(join(tmpdir(), "holdfast-peer-full-"));
  afterAll(() => {
    tearDownAll();
    rmSync(scratch, { recursive: true, force: true });
  });

  it("says so, keeps what it acknowledged, and goes on when there is room", async () => {
    const fixture = await GatewayFixture.create({}, join(scratch, "data"));
    const disk = createTmpfs(join(fixture.path, "peers"), 64);
    const peer = await addPeer(fixture, "box");
    const store = storeOf(peer);
    try {
      const kept = seededBytes("kept", 10 * MiB);
      await store.putIfAbsent(keyOf(kept), sourceOf(kept));
      const { bavail, bsize } = statfsSync(disk.folder);
      const filler = join(disk.folder, "filler");
      runTool("fallocate", "-l", String(bavail * bsize - 12 * MiB), filler);
      const full = { code: ErrorCode.replicaFull };
      // Declared, it does not fit; and what fits when it is declared may find the disk full when it comes.
      const large = seededBytes("large", 20 * MiB);
      await expect(store.putIfAbsent(keyOf(large), sourceOf(large))).rejects.toMatchObject(full);
      const both = ["one", "two"].map((label) => seededBytes(label, 9 * MiB));
      const outcomes = await Promise.all(
        both.map((bytes) =>
          store.putIfAbsent(keyOf(bytes), sourceOf(bytes)).then(
            () => "created",
            (error) => error.code,
          ),
        ),
      );
      expect(outcomes).toContain(ErrorCode.replicaFull);
      for (const outcome of outcomes) expect(["created", ErrorCode.replicaFull]).toContain(outcome);
      expect(await store.head(keyOf(kept))).toEqual({ bytes: kept.length });
      expect((await store.getRange(keyOf(kept), 0, kept.length)).equals(kept)).toBe(true);
      rmSync(filler);
      for (const bytes of [large, ...both]) {
        await store.putIfAbsent(keyOf(bytes), sourceOf(bytes));
        expect((await store.getRange(keyOf(bytes), 0, bytes.length)).equals(bytes)).toBe(true);
      }
      expect(readdirSync(join(fixture.gateway.peers.folderPath(peer.id), ".incoming"))).toEqual([]);
    } finally {
      await store.close();
      await fixture.stop();
      await filesClosed(disk.folder);
      disk.unmount();
    }
  });
});
