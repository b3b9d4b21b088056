// What a hold holds, how it ends, and that neither a restart in the wrong moment nor a lost gateway loses it.

import { afterEach, beforeEach, expect, test } from "vitest";
import type { GuardAnswer } from "../../../gateway/admin/guardOperations.ts";
import { heldItems } from "../../../gateway/guard/heldItems.ts";
import { noSettings } from "../../../gateway/guard/thresholds.ts";
import { exportVaultPart, parseVaultPart } from "../../../gateway/replica/gatewayState/vaultPart.ts";
import type { BackupFigures } from "../../../ingest/wire/figures.ts";
import { ErrorCode } from "../../../vault/errors.ts";
import { dataRecord, GatewayFixture, pageRecord, snapshotOf, type TestDevice } from "../gatewayFixture.ts";

const scope = { account: "anna", vault: "main" };
const quiet: BackupFigures = {
  ...{ files: 1000, changed: 10, added: 0, removed: 0, renamed: 0, newBytes: 0, rawBytes: 0 },
};
const attack: BackupFigures = { ...quiet, changed: 0, added: 900, removed: 900, renamed: 900 };
let fixture: GatewayFixture;
let device: TestDevice;

beforeEach(async () => {
  fixture = await GatewayFixture.create();
  device = await fixture.device(await fixture.account("anna"), "laptop");
});
afterEach(async () => {
  await fixture.remove();
});

async function commit(figures: BackupFigures | undefined, name = "files"): Promise<string> {
  const item = await device.client.putItem(name);
  const { session } = await device.client.startSession({
    vault: device.vault,
    item: item.id,
    highestSequence: item.sequence,
  });
  const content = dataRecord(device);
  const root = pageRecord(device, [content.id], `${name} ${item.sequence}`);
  await device.client.records(session, [content.record, root.record]);
  const { bytes } = snapshotOf(device, item, item.sequence + 1, item.head, root.id);
  return (await device.client.commit(session, bytes, figures && { figures })).snapshot;
}

async function several(...all: readonly BackupFigures[]): Promise<string[]> {
  const ids: string[] = [];
  for (const figures of all) ids.push(await commit(figures));
  return ids;
}

const guard = () => fixture.administration.guard;
const retention = () => fixture.administration.retention;

async function status(): Promise<GuardAnswer> {
  const [answer] = await guard().status({ item: "files" }, true);
  return answer as GuardAnswer;
}

async function restart(): Promise<void> {
  await fixture.stop();
  await fixture.start();
  device = { ...device, client: fixture.client(device.token) };
}

test("held: nothing goes, by policy or by hand; accepted: policies decide again, and it is usual", async () => {
  const good = await several(quiet, quiet, quiet, quiet);
  await commit(quiet, "other");
  await retention().mark({ snapshots: [good[3] as string], pin: "mine", addTags: [], removeTags: [] });
  const [bad] = await several(attack, attack);
  expect((await status()).hold).toMatchObject({
    state: "held",
    snapshot: bad,
    pins: good.slice(1).reverse(),
    rules: [
      { rule: "rewritten", share: 90, threshold: 50, usual: 1 },
      { rule: "renamed", share: 90, threshold: 25, usual: 0 },
    ],
  });
  const policy = {
    ...{ last: 1, hourly: 0, daily: 0, weekly: 0, monthly: 0, yearly: 0 },
    ...{ withinSeconds: 0, tags: [], timeZone: "UTC", trashSeconds: 3600 },
  };
  await retention().setPolicy({ ...scope, policy });
  expect(await retention().prune({ dryRun: false })).toMatchObject({ trashed: 0, kept: 7 });
  await expect(retention().remove([good[0] as string], "")).rejects.toMatchObject({
    code: ErrorCode.forbidden,
    message: expect.stringContaining("the guard holds"),
  });
  const shown = await retention().snapshots({ item: "files" }, false);
  expect(shown.map(({ pin }) => pin?.reason.slice(0, 13) ?? null)).toEqual([
    null,
    null,
    "mine",
    "held by guard",
    "held by guard",
    null,
  ]);

  await restart();
  expect((await status()).hold?.snapshot).toBe(bad);
  expect(fixture.gateway.alerts.list(true), "one alert, also after a restart").toMatchObject([
    { kind: "guard-hold", times: 1, resolved: null },
  ]);
  await guard().settle("accept", { ...scope, item: "files" });
  expect((await status()).hold).toBeNull();
  expect(fixture.gateway.alerts.list()).toEqual([]);
  await commit(attack);
  expect((await status()).hold?.rules[0]?.rule, "once is not usual yet").toBe("rewritten");
  await guard().settle("accept", { ...scope, item: "files" });
  // The pin that was there before stays.
  expect(await retention().prune({ dryRun: false })).toMatchObject({ trashed: 5, kept: 3 });
  await expect(guard().settle("accept", scope)).rejects.toMatchObject({ code: ErrorCode.notFound });
});

test("confirmed: it stays held and is known of; released: pins stay, and what came since is forgotten", async () => {
  const good = await several(quiet, quiet, quiet, quiet);
  await several(attack);
  await guard().settle("confirm", { ...scope, item: "files" });
  expect((await status()).hold?.state).toBe("confirmed");
  expect(fixture.gateway.alerts.list()).toMatchObject([{ acknowledged: { note: "confirmed as an attack" } }]);
  await commit(quiet);
  expect((await status()).hold?.state).toBe("confirmed");
  await guard().settle("release", { ...scope, item: "files" });
  expect(await status()).toMatchObject({ hold: null, snapshots: good.length });
  const pinned = (await retention().snapshots({}, false)).filter(({ pin }) => pin !== null);
  expect(pinned.map(({ id }) => id)).toEqual(good.slice(1).reverse());
  await several(quiet, attack);
  expect((await status()).hold?.pins[0], "from before the next one").not.toBe(good[3]);
});

test("a gateway that stops between a commit and the look at it looks later, and holds until then", async () => {
  await several(quiet, quiet, quiet);
  const vault = await fixture.gateway.vault(device.vault);
  // As if it were killed in between: from now on it looks at nothing.
  await fixture.gateway.guard.close();
  await several(quiet, attack);
  const [item] = vault.catalog.items();
  expect(heldItems(vault.catalog).get(item?.id ?? "")).toBe("not-looked-at");
  const { items } = await retention().prune({ dryRun: true });
  expect(items).toEqual([]);
  await retention().setPolicy({
    ...scope,
    policy: {
      ...{ last: 1, hourly: 0, daily: 0, weekly: 0, monthly: 0, yearly: 0 },
      ...{ withinSeconds: 0, tags: [], timeZone: "UTC", trashSeconds: 3600 },
    },
  });
  expect(await retention().prune({ dryRun: false })).toMatchObject({ trashed: 0 });
  await restart();
  expect((await status()).hold).not.toBeNull();
  expect(fixture.gateway.alerts.list()).toHaveLength(1);
  expect(await retention().prune({ dryRun: false })).toMatchObject({ trashed: 0 });
});

test("a look that fails holds, is an alert, and is made up for by the next", async () => {
  await several(quiet, quiet, quiet);
  const { index } = (await fixture.gateway.vault(device.vault)).store;
  const refsOf = index.refsOf.bind(index);
  index.refsOf = () => {
    throw new Error("a damaged page");
  };
  await several(attack);
  await status();
  const vault = await fixture.gateway.vault(device.vault);
  expect([...heldItems(vault.catalog).values()]).toEqual(["not-looked-at"]);
  expect(fixture.gateway.alerts.list()).toMatchObject([{ kind: "guard-failed", subject: vault.id }]);
  index.refsOf = refsOf;
  await several(attack);
  expect((await status()).hold?.rules.length).toBeGreaterThan(0);
  expect(fixture.gateway.alerts.list().map(({ kind }) => kind)).toEqual(["guard-hold"]);
});

test("settings: of a vault, of an item; off looks at nothing, and begins again", async () => {
  await guard().set({ ...scope, settings: { ...noSettings, renamed: 0 } });
  await guard()
    .set({ ...scope, item: "files", settings: { ...noSettings, rewritten: 95 } })
    .then(
      () => expect.unreachable(),
      (error: { code: string }) => expect(error.code).toBe(ErrorCode.notFound),
    );
  await several(quiet, quiet, quiet);
  await guard().set({ ...scope, item: "files", settings: { ...noSettings, rewritten: 95 } });
  expect((await status()).thresholds).toMatchObject({ rewritten: 95, renamed: 0, encrypted: 10, off: false });
  await several(attack);
  expect((await status()).hold).toBeNull();
  await guard().set({ ...scope, item: "files", settings: { ...noSettings, off: true } });
  await several({ ...quiet, changed: 990 });
  expect(await status()).toMatchObject({ hold: null, snapshots: 4 });
  await guard().set({ ...scope, item: "files", settings: null });
  await several({ ...quiet, changed: 990 });
  expect((await status()).hold?.rules).toMatchObject([{ rule: "rewritten", share: 99 }]);
  const wrong = { ...noSettings, rewritten: 101 };
  await expect(guard().set({ ...scope, settings: wrong })).rejects.toMatchObject({ code: ErrorCode.usage });
});

test("the vault's part of a sealed catalog has all of it, and gives it back", async () => {
  await several(quiet, quiet, quiet, attack);
  await guard().set({ ...scope, settings: { ...noSettings, renamed: 12.5 } });
  await status();
  const vault = await fixture.gateway.vault(device.vault);
  const part = vault.catalog.retention.guard.part();
  expect(part.items[0]?.hold).not.toBeNull();
  expect(parseVaultPart(exportVaultPart(vault), vault.id).retention.guard).toEqual(part);
});

test("figures that are none refuse a commit; the same commit with right ones goes through", async () => {
  await expect(commit({ ...quiet, files: -1 })).rejects.toMatchObject({ code: ErrorCode.protocol });
  await commit(quiet);
});
