// Files of a machine are encrypted and renamed while a real agent goes on backing them up: when the guard says so, what it keeps, and what
// the figures of a lying or an old agent are worth.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, expect, test } from "vitest";
import { restore } from "../../../agent/restore/restore.ts";
import { GatewayRecordSource } from "../../../agent/session/recordSource.ts";
import type { RetentionPolicy } from "../../../gateway/maintenance/retention/policy.ts";
import type { BackupFigures } from "../../../ingest/wire/figures.ts";
import { openSnapshot } from "../../../vault/snapshot.ts";
import { GuardedMachine } from "./guardedMachine.ts";

const seed = Number(process.env.HOLDFAST_SEED ?? 7);
const onlyNewest: RetentionPolicy = {
  ...{ last: 1, hourly: 0, daily: 0, weekly: 0, monthly: 0, yearly: 0 },
  ...{ withinSeconds: 0, tags: [], timeZone: "UTC", trashSeconds: 0 },
};
let machine: GuardedMachine;

afterEach(async () => {
  await machine.remove();
});

/** A first backup and days on which people work. */
async function workedOn(files: number, days: number): Promise<string[]> {
  machine = await GuardedMachine.create(seed);
  machine.fill(files);
  const snapshots = [(await machine.backup()).snapshot];
  for (let day = 0; day < days; day++) {
    machine.edit(0.02);
    snapshots.push((await machine.backup()).snapshot);
  }
  expect((await machine.guard()).hold, `seed ${seed}`).toBeNull();
  return snapshots;
}

/** From now on the agent says this of its backups, whatever is true. */
function says(figures: ((honest: BackupFigures) => BackupFigures) | undefined): void {
  const { client } = machine.site.device;
  const commit = client.commit.bind(client);
  client.commit = (session, object, about = {}) => {
    const { figures: honest, ...rest } = about;
    return commit(session, object, {
      ...rest,
      ...(honest && figures !== undefined && { figures: figures(honest) }),
    });
  };
}

test("a fast attack is found at its first backup, and what was before it stays and can be restored", async () => {
  const good = await workedOn(160, 3);
  const path = machine.files().sort()[0] as string;
  const content = readFileSync(path);
  machine.attack(1);
  const bad = (await machine.backup()).snapshot;
  const { hold } = await machine.guard();
  expect(hold).toMatchObject({ state: "held", snapshot: bad, pins: good.slice(-3).reverse() });
  expect(hold?.rules.map(({ rule }) => rule)).toEqual(["rewritten", "renamed", "encrypted"]);
  expect(hold?.figures).toMatchObject({ files: 160, renamed: 160, added: 160, removed: 160 });

  // More of the same, until a policy would have let go of everything else.
  for (let n = 0; n < 2; n++) await machine.backup();
  const { administration, gateway } = machine.site.fixture;
  const scope = { account: "anna", vault: "main" };
  await administration.retention.setPolicy({ ...scope, policy: onlyNewest });
  const pruned = await administration.retention.prune({ dryRun: false });
  expect(pruned).toMatchObject({ trashed: 0, kept: good.length + 3 });
  expect(pruned.items[0]?.snapshots.every(({ reasons }) => reasons[0]?.rule === "held")).toBe(true);
  expect(gateway.alerts.list()).toMatchObject([
    { kind: "guard-hold", severity: "critical", subject: "anna/main/laptop/files", times: 1 },
  ]);

  const { client, account } = machine.site.device;
  const target = join(machine.folder, "back");
  await restore({
    source: new GatewayRecordSource(client),
    keys: account.keys,
    snapshot: openSnapshot(account.keys, await client.snapshotObject(good.at(-1) as string)),
    path: [],
    target: Buffer.from(target),
    ...{ overwrite: "always", dryRun: false, delete: false, ownerByName: false, threads: 1 },
    onNote: (note) => expect(note).toBeUndefined(),
  });
  expect(readFileSync(join(target, path)).equals(content)).toBe(true);
}, 60_000);

test("an attack of 5 % of the files each time is found before a fifth is encrypted, back to where it began", async () => {
  const good = await workedOn(160, 6);
  let encrypted = 0;
  for (let n = 0; n < 12 && (await machine.guard()).hold === null; n++) {
    encrypted += machine.attack(0.05);
    await machine.backup();
  }
  const { hold } = await machine.guard();
  expect(["creeping", "encrypted"]).toContain(hold?.rules[0]?.rule);
  expect(encrypted / 160, `seed ${seed}`).toBeLessThanOrEqual(0.2);
  // Pinned is what was there before the first file was encrypted, maybe a day more than needed.
  expect(hold?.pins).toHaveLength(3);
  expect(good).toEqual(expect.arrayContaining([...(hold?.pins ?? [])]));
}, 60_000);

test.each([
  ["says that nothing changed", { changed: 0, added: 0, removed: 0, renamed: 0, newBytes: 0, rawBytes: 0 }],
  ["says nothing, as old ones do", undefined],
])(
  "an agent that %s is no help to an attack",
  async (_what, lie) => {
    await workedOn(160, 3);
    says(lie && ((honest) => ({ ...honest, ...lie })));
    machine.attack(1);
    await machine.backup();
    const { hold } = await machine.guard();
    expect(hold?.rules.map(({ rule }) => rule)).toEqual(["rewritten", "encrypted"]);
    expect(hold?.figures.renamed).toBe(lie?.renamed);
  },
  60_000,
);
