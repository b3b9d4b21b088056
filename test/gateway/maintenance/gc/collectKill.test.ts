// kill -9 of a process that collects garbage beside backups. HOLDFAST_KILLS sets how many (5), HOLDFAST_SEED repeats a run.

import { fork } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, expect, test } from "vitest";
import { toHex } from "../../../../vault/bytes.ts";
import { randomFrom } from "../../../fidelity/random.ts";
import { GatewayFixture } from "../../gatewayFixture.ts";
import type { ProgramFacts, Told } from "./collectingProgram.ts";
import { collect, VaultUser } from "./gcFixture.ts";

const kills = Number(process.env.HOLDFAST_KILLS ?? 5);
const seed = Number(process.env.HOLDFAST_SEED ?? process.hrtime.bigint() % 1_000_000n);
const scratch = mkdtempSync(join(tmpdir(), "holdfast-collect-kill-"));
const children: ReturnType<typeof fork>[] = [];
afterAll(() => {
  for (const child of children) child.kill("SIGKILL");
  rmSync(scratch, { recursive: true, force: true });
});

test(`${kills} kills: what was committed is whole, the index is closed from below, and nothing is left over`, {
  timeout: 60_000 + kills * 15_000,
}, async () => {
  console.log(`HOLDFAST_SEED=${seed} HOLDFAST_KILLS=${kills}`);
  const random = randomFrom(seed);
  const fixture = await GatewayFixture.create({ packBytesTarget: 12_000 }, join(scratch, "data"));
  const device = await fixture.device(await fixture.account("anna"), "laptop");
  const user = new VaultUser(fixture, device);
  const { s, epochs } = device.account.opened.secrets;
  const facts: ProgramFacts = {
    ...{ path: fixture.path, device: device.id, group: device.group, vault: device.vault, account: "anna" },
    ...{ s: toHex(s), a: toHex(epochs.get(1)!) },
  };
  const factsPath = join(scratch, "facts");
  writeFileSync(factsPath, JSON.stringify(facts));
  const committed = new Map<string, readonly string[]>();
  const trashed = new Set<string>();
  const seen = { snapshots: 0, dead: 0, gone: 0 };
  for (let round = 1; round <= kills; round++) {
    await fixture.stop();
    const child = fork(resolve(import.meta.dirname, "collectingProgram.ts"), [
      factsPath,
      String(random.below(2 ** 30)),
    ]);
    children.push(child);
    child.on("message", (told: Told | "begun") => {
      if (told === "begun") return;
      if ("committed" in told) committed.set(told.committed, told.ids);
      else trashed.add(told.trashed);
    });
    const gone = once(child, "close");
    await Promise.race([once(child, "message"), gone]);
    await sleep(200 + random.below(1200));
    expect(child.exitCode, "it ended by itself").toBeNull();
    child.kill("SIGKILL");
    await gone;
    await fixture.start();
    const vault = await user.vault();
    const { index } = vault.store;
    if (index.dead !== undefined) seen.dead++;
    for (const [id, ids] of committed) {
      const row = vault.catalog.snapshot(id);
      if (row === undefined) {
        expect(trashed.has(id), "a snapshot is gone that nobody removed").toBe(true);
        seen.gone++;
        committed.delete(id);
        continue;
      }
      seen.snapshots++;
      for (const chunk of ids) expect(await user.read(Buffer.from(chunk, "hex"))).toBeInstanceOf(Buffer);
    }
    await vault.store.flush(() => undefined);
    const live = new Set<number>();
    index.scan(undefined, Number.POSITIVE_INFINITY, (_group, _id, { ordinal }) => {
      if (index.dead?.has(ordinal) !== true) live.add(ordinal);
    });
    for (const ordinal of live) for (const ref of index.refsOf(ordinal)) expect(live.has(ref)).toBe(true);
    expect(user.packFiles().sort()).toEqual((await user.packNames()).sort());
    if (round % 3 === 0 || round === kills) {
      for (const { device: of } of vault.catalog.leases.open()) vault.catalog.leases.endOf([of]);
      await collect(user);
      const needed = new Set<string>();
      for (const { id } of vault.catalog.allSnapshots()) {
        for (const chunk of committed.get(id) ?? []) needed.add(chunk);
      }
      // A snapshot whose commit was not told any more may be there besides.
      const untold = vault.catalog.allSnapshots().filter(({ id }) => !committed.has(id)).length;
      if (untold === 0) expect(index.count()).toBe(needed.size);
      expect(index.dead).toBeUndefined();
      expect(user.packFiles().sort()).toEqual((await user.packNames()).sort());
    }
  }
  console.log(`after kills: ${JSON.stringify(seen)}`);
  await fixture.remove();
});
