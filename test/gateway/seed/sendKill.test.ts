// kill -9 of a sealed box, and of its datacentre, while manifest and lists go over the line, at any byte and at any file of the datacentre:
// a manifest counts with all that it brings, or not at all, and sending goes on. HOLDFAST_KILLS sets how many (4), HOLDFAST_SEED repeats a run.

import { randomBytes } from "node:crypto";
import { cpSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { manifestPath, type SealReport } from "../../../gateway/seed/seal/sealBox.ts";
import { bitAt } from "../../../ingest/wire/bitmap.ts";
import { homeOf } from "../../../vault/seed/homeRecord.ts";
import { claimedManifest } from "../../../vault/seed/manifest.ts";
import { WatchedLine } from "../../faults/watchedLine.ts";
import { type Random, randomFrom } from "../../fidelity/random.ts";
import { GatewayFixture, type TestDevice } from "../gatewayFixture.ts";
import { boxKeyAt, type Committed, commitOn, OpenBox, prepareRequest, seal } from "./boxFixture.ts";
import { type Death, Dying } from "./dying.ts";

const kills = Number(process.env.HOLDFAST_KILLS ?? 4);
const seed = Number(process.env.HOLDFAST_SEED ?? process.hrtime.bigint() % 1_000_000n);
const scratch = mkdtempSync(join(tmpdir(), "holdfast-send-kill-"));
const accounts = ["acme", "other"];
const snapshotsEach = 4;
const chunksEach = 300;
let line: WatchedLine | undefined;
const running = new Set<Dying>();
afterAll(async () => {
  for (const each of running) await each.kill();
  await line?.close();
  rmSync(scratch, { recursive: true, force: true });
});

type OnBoard = { readonly device: TestDevice; readonly snapshots: Committed[] };

/** Two accounts' first backups on a box that is sealed; the datacentre is stopped. */
async function sealedBox(datacentre: GatewayFixture, directory: string, url: string) {
  const devices: TestDevice[] = [];
  for (const name of accounts) devices.push(await datacentre.device(await datacentre.account(name), "pc"));
  const request = prepareRequest(directory, accounts, { datacentreUrls: [url] });
  await datacentre.administration.seed.prepare(request);
  const boxKey = await boxKeyAt(datacentre.gateway, directory);
  const box = await OpenBox.open(directory, boxKey);
  const onBoard: OnBoard[] = [];
  for (const device of devices) {
    const snapshots: Committed[] = [];
    for (let n = 0; n < snapshotsEach; n++) {
      const contents = Array.from({ length: chunksEach }, () => randomBytes(40));
      snapshots.push(await commitOn(box.client(device.token), device, "files", contents));
    }
    onBoard.push({ device, snapshots });
  }
  const report = await seal(box);
  await box.close();
  await datacentre.stop();
  return { boxKey, onBoard, report };
}

test(`a manifest counts as a whole, after ${kills} kills while it is sent (seed ${seed})`, {
  timeout: 60_000 + kills * 20_000,
}, async () => {
  const random = randomFrom(seed);
  line = await WatchedLine.start();
  const datacentre = await GatewayFixture.create({}, join(scratch, "datacentre"));
  const directory = join(scratch, "box");
  const { boxKey, onBoard, report } = await sealedBox(datacentre, directory, line.url);
  const before = join(scratch, "before");
  cpSync(datacentre.path, before, { recursive: true });
  const manifest = readFileSync(manifestPath(directory));
  const lists = claimedManifest(manifest).vaults.flatMap((vault) => Object.values(vault.lists));
  /** Bytes that go up, at least. */
  const upBytes = lists.reduce((sum, { bytes }) => sum + bytes, manifest.length);

  const receive = async (death?: Death): Promise<Dying> => {
    const receiver = new Dying("serve", datacentre.path, { death });
    running.add(receiver);
    const url = await receiver.opened();
    if (url !== undefined) line!.leadTo(url);
    return receiver;
  };
  const hits = { sender: 0, receiver: 0, receiverAtFile: 0, none: 0, accepted: 0 };
  for (let round = 0; round < kills; round++) {
    const way = round % 4 === 0 ? "sender" : round % 4 === 2 ? "receiver" : "receiverAtFile";
    const at = 1 + random.below(10);
    const death = { at, when: random.below(2) === 0 ? "before" : "behind" } as const;
    const receiver = await receive(way === "receiverAtFile" ? death : undefined);
    const sender = new Dying("send", directory, { boxKey });
    const moment = way === "receiverAtFile" ? receiver.ended : line.passes("up", momentIn(random, upBytes));
    const sent = await Promise.race([moment.then(() => false), sender.ended.then(() => true)]);
    hits[sent ? "none" : way]++;
    // The other one ends too: what it had in hand is not to help.
    await sender.kill();
    await receiver.kill();
    const accepted = await lookAt(datacentre, onBoard, report);
    if (sent) expect(accepted).toBe(true);
    if (!accepted) continue;
    hits.accepted++;
    if (round === kills - 1) continue;
    rmSync(datacentre.path, { recursive: true });
    cpSync(before, datacentre.path, { recursive: true });
  }
  console.log(`kills: ${JSON.stringify(hits)}`);
  expect(hits.none).toBeLessThan(kills);

  const receiver = await receive();
  const { status, stderr } = await new Dying("send", directory, { boxKey }).ended;
  expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
  await receiver.kill();
  expect(await lookAt(datacentre, onBoard, report)).toBe(true);
  // The next backups are the datacentre's, and follow what the box has.
  await datacentre.start();
  for (const { device, snapshots } of onBoard) {
    const { snapshot } = await commitOn(datacentre.client(device.token), device, "files");
    const vault = await datacentre.gateway.vault(device.vault);
    expect(vault.catalog.items()).toMatchObject([{ sequence: snapshotsEach + 1, head: snapshot }]);
    expect(vault.catalog.snapshot(snapshots.at(-1)!.snapshot)).toBeDefined();
  }
  await datacentre.stop();
});

/** Where of so many bytes: anywhere, or among the first, where hands are shaken and the manifest goes. */
function momentIn(random: Random, bytes: number): number {
  return random.below(random.below(3) === 0 ? 5000 : bytes);
}

/**
 * What a datacentre that starts again has of the box: all of it, when its manifest counts or its devices are at home again; and no snapshot
 * before what it rests on is promised. True when the manifest counts.
 */
async function lookAt(
  datacentre: GatewayFixture,
  onBoard: readonly OnBoard[],
  report: SealReport,
): Promise<boolean> {
  await datacentre.start();
  try {
    const { catalog, homes, dataDir } = datacentre.gateway;
    const row = catalog.boxes.get(1)!;
    const accepted = row.seal !== null;
    expect(row).toMatchObject(
      accepted
        ? { state: "sealed", seal: { seal: 1, manifest: report.manifest } }
        : { state: "prepared", seal: null },
    );
    for (const { device, snapshots } of onBoard) {
      const vault = await datacentre.gateway.vault(device.vault);
      const ids = snapshots.flatMap(({ root, chunks }) => [root, ...chunks]);
      const promised = vault.store.promised.have(device.group, Buffer.concat(ids)).filter(Boolean).length;
      expect([0, ids.length], "all chunks are promised, or none").toContain(promised);
      await vault.waits.settle();
      const listed = vault.catalog.snapshots().length;
      if (listed > 0) expect(promised).toBe(ids.length);
      const home = homeOf(homes.homesteads(device.account.id), device.id);
      if (accepted) expect(home.gateway).toBe(dataDir.identity.id);
      if (home.gateway !== dataDir.identity.id) continue;
      expect({ promised, listed }).toEqual({ promised: ids.length, listed: snapshots.length });
      const client = datacentre.client(device.token);
      expect((await client.snapshots()).map(({ id, pending }) => [id, pending])).toEqual(
        snapshots.map(({ snapshot }) => [snapshot, [1]]).reverse(),
      );
      const item = await client.putItem("files");
      expect(item).toMatchObject({ sequence: snapshots.length, head: snapshots.at(-1)!.snapshot });
      const { session } = await client.startSession({
        vault: device.vault,
        item: item.id,
        highestSequence: item.sequence,
      });
      const bits = await client.have(session, ids);
      expect(ids.every((_, i) => bitAt(bits, i))).toBe(true);
    }
    return accepted;
  } finally {
    await datacentre.stop();
  }
}
