// kill -9 while packs are evicted and fetched back. HOLDFAST_KILLS sets how many (6), HOLDFAST_SEED repeats a run.

import { fork } from "node:child_process";
import { createHash, randomBytes } from "node:crypto";
import { once } from "node:events";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, expect, test } from "vitest";
import { closedPackPath } from "../../../gateway/store/packPaths.ts";
import { tailPath } from "../../../gateway/store/packTails.ts";
import { randomFrom } from "../../fidelity/random.ts";
import { dataRecord, GatewayFixture } from "../gatewayFixture.ts";
import { addReplicaFolder, copyPacks, replicaPack } from "./replicaFolder.ts";

const kills = Number(process.env.HOLDFAST_KILLS ?? 6);
const seed = Number(process.env.HOLDFAST_SEED ?? process.hrtime.bigint() % 1_000_000n);
const scratch = mkdtempSync(join(tmpdir(), "holdfast-evict-kill-"));
const children: ReturnType<typeof fork>[] = [];
afterAll(() => {
  for (const child of children) child.kill("SIGKILL");
  rmSync(scratch, { recursive: true, force: true });
});

const isNamed = (path: string, name: Uint8Array): boolean =>
  existsSync(path) && createHash("sha256").update(readFileSync(path)).digest().equals(name);

test(`${kills} kills: no pack goes that is not elsewhere, and everything is readable`, {
  timeout: 60_000 + kills * 10_000,
}, async () => {
  console.log(`HOLDFAST_SEED=${seed} HOLDFAST_KILLS=${kills}`);
  const random = randomFrom(seed);
  const fixture = await GatewayFixture.create({ packBytesTarget: 300_000 }, join(scratch, "data"));
  const device = await fixture.device(await fixture.account("anna"), "laptop");
  const replica = await addReplicaFolder(fixture.gateway.catalog, join(scratch, "replica"), "disk");
  const item = await device.client.putItem("files");
  const asked = { vault: device.vault, item: item.id, highestSequence: 0 };
  const { session } = await device.client.startSession(asked);
  const records = Array.from({ length: 80 }, () => dataRecord(device, randomBytes(60_000)));
  await device.client.records(
    session,
    records.map(({ record }) => record),
  );
  const directory = fixture.gateway.vaultDirectory(device.vault);
  const vault = await fixture.gateway.vault(device.vault);
  await vault.store.closeOpenPacks();
  await copyPacks(vault, directory, replica);
  const rows = [...vault.store.packs.all()].filter(({ kind }) => kind === "data");
  // These two must never go: one is not in the replica, of the other it has wrong bytes.
  const [absent, wrong] = rows;
  rmSync(replicaPack(replica, vault.id, absent!.name!));
  writeFileSync(replicaPack(replica, vault.id, wrong!.name!), randomBytes(wrong!.bytes));
  const left = { evicted: 0, closed: 0, unfinished: 0, half: 0 };

  for (let round = 1; round <= kills; round++) {
    await fixture.stop();
    const child = fork(resolve(import.meta.dirname, "movingProgram.ts"), [
      fixture.path,
      String(random.below(2 ** 30)),
    ]);
    children.push(child);
    const gone = once(child, "exit");
    await Promise.race([once(child, "message"), gone]);
    await sleep(random.below(300));
    expect(child.exitCode, "it ended by itself").toBeNull();
    child.kill("SIGKILL");
    await gone;
    const files = new Set(readdirSync(join(directory, "packs"), { recursive: true, encoding: "utf8" }));
    left.half += [...files].filter((name) => name.endsWith(".tmp")).length;
    await fixture.start();
    const { store } = await fixture.gateway.vault(device.vault);
    for (const row of rows) {
      const name = row.name!;
      const state = store.packs.get(row.ordinal)!.state;
      const path = closedPackPath(directory, name);
      if (state === "evicted") {
        left.evicted++;
        if ([...files].some((file) => path.endsWith(file) && file.includes("/"))) left.unfinished++;
        expect(isNamed(replicaPack(replica, vault.id, name), name), "evicted, and not elsewhere").toBe(true);
        expect(existsSync(path), "evicted, and still here").toBe(false);
        expect(existsSync(tailPath(directory, name))).toBe(true);
      } else {
        left.closed++;
        expect([state, isNamed(path, name)]).toEqual(["closed", true]);
      }
    }
    const tmp = readdirSync(join(directory, "packs"), { recursive: true, encoding: "utf8" });
    expect(tmp.filter((name) => name.endsWith(".tmp"))).toEqual([]);
    for (const { pack } of [absent!, wrong!].map(({ ordinal }) => ({ pack: ordinal })))
      expect(store.packs.get(pack)?.state).toBe("closed");
    let i = 0;
    const ids = Buffer.concat(records.map(({ id }) => id));
    for await (const outcome of store.read(store.lookupBatch(device.group, ids))) {
      expect(Buffer.isBuffer(outcome) && outcome.equals(records[i]!.record), `record ${i}`).toBe(true);
      i++;
    }
    rmSync(join(fixture.path, "cache"), { recursive: true, force: true });
  }
  console.log(`packs after kills: ${JSON.stringify(left)}`);
  expect(left.evicted).toBeGreaterThan(0);
  expect(left.closed).toBeGreaterThan(2 * kills);
  await fixture.stop();
});
