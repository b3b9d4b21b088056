// kill -9 of a gateway that upgrades its data directory: an older program finds it unchanged or refuses it, the next start makes the whole of it, once.
// HOLDFAST_KILLS sets how many (10), HOLDFAST_SEED repeats a run.

import { fork } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { expect, onTestFinished, test } from "vitest";
import { rollBack } from "../../../gateway/upgrade/upgradeDataDir.ts";
import { ErrorCode } from "../../../vault/errors.ts";
import { randomFrom } from "../../fidelity/random.ts";
import { GatewayFixture } from "../gatewayFixture.ts";
import { slowFormats, steps } from "./slowFormats.ts";

const kills = Number(process.env.HOLDFAST_KILLS ?? 10);
const seed = Number(process.env.HOLDFAST_SEED ?? process.hrtime.bigint() % 1_000_000n);

/** An upgrade in a process of its own; `ready` when it is about to open the directory. */
function upgrade(path: string) {
  const env = { ...process.env, NODE_COMPILE_CACHE: join(tmpdir(), "holdfast-test-compile") };
  const child = fork(join(import.meta.dirname, "upgradingProgram.ts"), [path], { env });
  const said: string[] = [];
  const changed = Promise.withResolvers<void>();
  child.on("message", (text) => {
    said.push(String(text));
    if (text === "upgrade-done") changed.resolve();
  });
  return {
    child,
    said,
    ready: once(child, "message"),
    changed: changed.promise,
    ended: once(child, "close"),
  };
}

test(`killed ${kills} times in upgrades`, { timeout: 60_000 + kills * 10_000 }, async () => {
  console.log(`HOLDFAST_SEED=${seed} HOLDFAST_KILLS=${kills}`);
  const random = randomFrom(seed);
  const fixture = await GatewayFixture.create();
  onTestFinished(() => fixture.remove());
  const device = await fixture.device(await fixture.account("anna"), "laptop");
  const databases = async () => [
    fixture.gateway.catalog.environment,
    (await fixture.gateway.vault(device.vault)).store.environment,
  ];
  const isChanged = async () => (await databases()).map(steps);
  const identity = () =>
    JSON.parse(readFileSync(join(fixture.path, "gateway.json"), "utf8")) as {
      version: number;
      upgrading?: number;
    };
  const untouched = await isChanged();
  await fixture.stop();

  const whole = upgrade(fixture.path);
  await whole.ready;
  const beganMs = performance.now();
  await whole.changed;
  const usualMs = performance.now() - beganMs;
  await whole.ended;
  expect(whole.said).toContain("upgrade-begins");

  const found = { unchanged: 0, halfway: 0, done: 0 };
  for (let round = 0; round < kills; round++) {
    if (identity().version !== 1 || identity().upgrading !== undefined) await rollBack(fixture.path, false);
    // Some starts are killed again before one is left alone.
    for (let starts = 1 + random.below(2); starts > 0; starts--) {
      const { child, ready, ended } = upgrade(fixture.path);
      await ready;
      await sleep(random.below(Math.ceil(usualMs)));
      child.kill("SIGKILL");
      await ended;
    }
    const { version, upgrading } = identity();
    found[upgrading !== undefined ? "halfway" : version === 1 ? "unchanged" : "done"] += 1;
    if (version === 1) {
      await fixture.start();
      expect(await isChanged(), `round ${round}`).toEqual(untouched);
      await fixture.stop();
    } else {
      await expect(fixture.start(), `round ${round}`).rejects.toMatchObject({ code: ErrorCode.unsupported });
    }
    await fixture.start({ formats: slowFormats, upgrades: true });
    for (const rows of await isChanged())
      for (const row of rows) expect(row, `round ${round}`).toEqual([2, 3]);
    expect(identity()).toMatchObject({ version: 3 });
    expect(identity().upgrading).toBeUndefined();
    await fixture.stop();
  }
  console.log(`found after kills: ${JSON.stringify(found)}; a whole one took ${Math.round(usualMs)} ms`);
  if (kills >= 25) expect(found.halfway).toBeGreaterThan(0);
  await fixture.start({ formats: slowFormats });
});
