// kill -9 of a real gateway process while a peer uploads to it: what was acknowledged is there after the restart, whole and counted; what was on its
// way goes on where it was. One store lives through all of it.

import { createHash } from "node:crypto";
import { existsSync, readdirSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import pino from "pino";
import { afterAll, beforeAll, expect, test } from "vitest";
import { initDataDir } from "../../../gateway/dataDir.ts";
import { Gateway } from "../../../gateway/gateway.ts";
import { packKey } from "../../../gateway/replica/keys.ts";
import { PeerStore } from "../../../gateway/replica/peer/peerStore.ts";
import type { PeerToken } from "../../../gateway/replica/peer/tokenFile.ts";
import { freePort } from "../../bench/peers/ports.ts";
import { sourceOf } from "../../conformance/sources.ts";
import { randomFrom } from "../../fidelity/random.ts";
import { seededBytes } from "../../vault/seeded.ts";
import { KillableGateway } from "../killableGateway.ts";
import { vault } from "./sampleChain.ts";

const kills = Number(process.env.HOLDFAST_KILLS ?? 3);
const seed = Number(process.env.HOLDFAST_SEED ?? process.hrtime.bigint() % 1_000_000n);
const MiB = 2 ** 20;

let folder: string;
let path: string;
let peerId: string;
let token: PeerToken;
let gateway: KillableGateway;

async function opened<T>(work: (gateway: Gateway) => Promise<T>): Promise<T> {
  const gateway = await Gateway.open(path, {
    logger: pino({ level: "silent" }),
    now: () => new Date(),
    version: "0.0.0-test",
  });
  try {
    return await work(gateway);
  } finally {
    await gateway.close();
  }
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "holdfast-peer-crash-"));
  path = join(folder, "data");
  gateway = new KillableGateway(path, 0);
  const listen = `127.0.0.1:${await freePort()}`;
  const { fingerprint } = await initDataDir(path, { settings: { listen, reserveMiB: 0 }, now: new Date() });
  token = await opened(async ({ peers }) => {
    const added = await peers.add("box", { quotaBytes: null, holdSeconds: 0 });
    peerId = added.row.id;
    return {
      url: `https://${listen}`,
      fingerprint,
      name: "box",
      token: added.token,
      signer: peers.signer.publicKey,
    };
  });
});
afterAll(async () => {
  await gateway?.kill();
  await rm(folder, { recursive: true, force: true });
});

test(`what was acknowledged survives kill -9, ${kills} times`, {
  timeout: 60_000 + kills * 15_000,
}, async () => {
  console.log(`HOLDFAST_SEED=${seed} HOLDFAST_KILLS=${kills}`);
  const random = randomFrom(seed);
  const store = new PeerStore({ url: token.url, token, triesMax: 30, challengeOneOf: 4 });
  const acknowledged = new Map<string, Buffer>();
  let unfinished = 0;
  for (let round = 0; round < kills; round++) {
    await gateway.start();
    const objects = Array.from({ length: 6 }, (_, i) =>
      seededBytes(`${seed} ${round} ${i}`, i < 2 ? 18 * MiB + random.below(MiB) : 1 + random.below(300_000)),
    );
    const before = acknowledged.size;
    const putting = objects.map(async (bytes) => {
      const key = packKey(vault, createHash("sha256").update(bytes).digest());
      const put = await store.putIfAbsent(key, sourceOf(bytes));
      expect(put.outcome).toBe("created");
      acknowledged.set(key, bytes);
    });
    await sleep(random.below(900));
    await gateway.kill();
    if (acknowledged.size < before + objects.length) unfinished++;
    await opened(async ({ peers, catalog }) => {
      const row = peers.named("box");
      const { folder: held } = await peers.open(row);
      let bytes = 0;
      for (const [key, expected] of acknowledged) {
        const found = await held.find(key);
        expect(found, key).toMatchObject({ bytes: expected.length });
        expect(found?.sha256).toBe(createHash("sha256").update(expected).digest("hex"));
        bytes += expected.length;
      }
      expect(catalog.peers.totals(peerId).bytes).toBeGreaterThanOrEqual(bytes);
    });
    await gateway.start();
    // The store was never told: it asks until the gateway is back.
    await Promise.all(putting);
    for (const [key, expected] of acknowledged) {
      if (random.below(3) !== 0) continue;
      const at = random.below(expected.length);
      const length = Math.min(100_000, expected.length - at);
      expect((await store.getRange(key, at, length)).equals(expected.subarray(at, at + length))).toBe(true);
    }
    await gateway.kill();
  }
  await store.close();
  const { bytes, objects } = await opened(async ({ catalog }) => catalog.peers.totals(peerId));
  expect({ bytes, objects }).toEqual({
    bytes: [...acknowledged.values()].reduce((sum, each) => sum + each.length, 0),
    objects: acknowledged.size,
  });
  const incoming = join(path, "peers", peerId, ".incoming");
  await opened(async ({ peers }) => void (await peers.open(peers.named("box"))));
  expect(existsSync(incoming) ? readdirSync(incoming) : []).toEqual([]);
  console.log(`kills that came before everything was acknowledged: ${unfinished}`);
  if (kills >= 8) expect(unfinished).toBeGreaterThan(0);
});
