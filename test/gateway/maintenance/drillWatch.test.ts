// Drills of a gateway: their reports, alerts, and which vaults are drilled when.

import { setTimeout as pause } from "node:timers/promises";
import { afterEach, beforeEach, expect, test } from "vitest";
import { Administration } from "../../../gateway/administration.ts";
import { Gateway } from "../../../gateway/gateway.ts";
import { DrillRows } from "../../../gateway/maintenance/drillRows.ts";
import { DrillWatch } from "../../../gateway/maintenance/drillWatch.ts";
import type { Drill, DrillWish, VaultContent } from "../../../gateway/maintenance/vaultContent.ts";
import { VaultKeys } from "../../../vault/keys/vaultKeys.ts";
import { SampleVault, silent, silentLogger } from "./sampleVault.ts";

const dayMs = 86_400_000;

let sample: SampleVault;
let gateway: Gateway;
let nowMs: number;
let wishes: DrillWish[];
let answer: Drill;

/** Opens nothing: says what it is told to, of vaults that are unlocked. */
function content({ unlocked }: Gateway): VaultContent {
  const isOpen = (vault: string): boolean => unlocked.list().some((row) => row.vault === vault);
  return {
    hurtFiles: async () => undefined,
    drill: async (vault, wish) => {
      if (!isOpen(vault)) return undefined;
      wishes.push(wish);
      return answer;
    },
  };
}

beforeEach(async () => {
  sample = await SampleVault.create();
  nowMs = Date.now();
  wishes = [];
  answer = { right: 20, partly: 1, readBytes: 5000, wrong: [] };
  const options = { logger: silentLogger(), version: "0.0.0-test", now: () => new Date(nowMs), content };
  gateway = await Gateway.open(sample.copy(), options);
});
afterEach(async () => {
  await gateway.close();
  sample.remove();
});

const unlock = (): void => {
  gateway.unlocked.unlock(sample.device.vault, new VaultKeys(sample.device.account.opened.secrets));
};
const drill = (seed: string) => new Administration(gateway).drill({ files: 5, bytes: 1000, seed }, silent);

test("a report is kept, without names; what is wrong is an alert until a drill finds nothing", async () => {
  expect(await drill("00")).toEqual({ vaults: [], locked: [sample.device.vault] });
  unlock();
  const [snapshot] = sample.snapshots;
  answer = { ...answer, wrong: [{ snapshot: snapshot!.id, path: "/secret/name", why: "it is damaged" }] };
  const { vaults } = await drill("5eed");
  expect(vaults[0]?.wrong).toEqual(answer.wrong);
  const [report] = await new Administration(gateway).drills();
  const { wrong, hurt, seed, right } = report!;
  expect({ wrong, hurt, seed, right }).toEqual({ wrong: 1, hurt: [snapshot!.id], seed: "5eed", right: 20 });
  expect(JSON.stringify([report, gateway.alerts.list()])).not.toContain("secret");
  expect(gateway.alerts.list()).toMatchObject([{ kind: "drill-failed", subject: "anna/main" }]);
  expect(gateway.jobs.list({ kind: "drill", failed: false, limit: 1 })[0]?.result).toBe("warnings");
  answer = { ...answer, wrong: [] };
  await drill("5eed");
  expect(gateway.alerts.list()).toEqual([]);
  expect(await new Administration(gateway).drills()).toHaveLength(2);
});

test("by itself: only what is unlocked, and once in so many days, also over restarts", async () => {
  const run = async (enough: () => boolean): Promise<void> => {
    const watch = new DrillWatch(gateway, { firstMs: 0, restMs: 1 });
    watch.start();
    for (let tries = 0; !enough() && tries < 2000; tries++) await pause(1);
    await watch.close();
  };
  let looks = 0;
  await run(() => ++looks > 30);
  expect(wishes).toEqual([]);
  unlock();
  await run(() => wishes.length > 0);
  looks = 0;
  await run(() => ++looks > 30);
  expect(wishes).toHaveLength(1);
  nowMs += 8 * dayMs;
  await run(() => wishes.length > 1);
  expect(wishes).toHaveLength(2);
  expect(wishes[0]?.seed).not.toBe(wishes[1]?.seed);
  const { store } = await gateway.vault(sample.device.vault);
  expect(new DrillRows(store.environment).list()).toHaveLength(2);
});
