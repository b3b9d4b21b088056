// A device stores, under ids of records that another of its group will make, others that name a record which it then reports. The gateway says
// "have" of them and refuses each commit that reaches them: the honest agent finds them, sends its own, and commits in the same backup.

import { randomBytes } from "node:crypto";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { runBackup } from "../../../agent/backup/backup.ts";
import type { BackupOutcome, BackupSession } from "../../../agent/backup/request.ts";
import { GatewayBackupSession } from "../../../agent/session/backupSession.ts";
import type { AgentConnection } from "../../../agent/session/connection.ts";
import { noLimits } from "../../../agent/source/portion.ts";
import { resolveTopPaths } from "../../../agent/source/topPaths.ts";
import { RecordStatus } from "../../../ingest/wire/recordStatus.ts";
import { toHex } from "../../../vault/bytes.ts";
import { ErrorCode } from "../../../vault/errors.ts";
import { RecordType } from "../../../vault/magic.ts";
import { openRecord, parseRecordHeader, sealRecord } from "../../../vault/record.ts";
import { MemoryGateway } from "../../agent/backup/memoryGateway.ts";
import { dataRecord, GatewayFixture, type TestDevice } from "../gatewayFixture.ts";

const MiB = 2 ** 20;
const scratch = mkdtempSync(join(tmpdir(), "holdfast-blocked-"));
let fixture: GatewayFixture;
let honest: TestDevice;
let liar: TestDevice;
let source: string;
let item: string;
let warnings: string[];
let runs = 0;

beforeAll(async () => {
  fixture = await GatewayFixture.create();
});
afterAll(async () => {
  await fixture.remove();
  rmSync(scratch, { recursive: true, force: true });
});
beforeEach(async () => {
  // An account of its own for each test.
  const account = await fixture.account(randomBytes(6).toString("hex"));
  honest = await fixture.device(account, "laptop");
  liar = await fixture.device(account, "desktop");
  item = `files ${runs++}`;
  source = join(scratch, item);
  for (const folder of ["one", "two/deep"]) {
    mkdirSync(join(source, folder), { recursive: true });
    writeFileSync(join(source, folder, "text"), `${folder} ${randomBytes(20).toString("hex")}`);
  }
  // Nine chunks: more than a directory's entry holds.
  writeFileSync(join(source, "large"), randomBytes(9 * MiB));
  warnings = [];
});

function backup(session: BackupSession): Promise<BackupOutcome> {
  return runBackup(
    {
      paths: resolveTopPaths([source]),
      ...{ item, rules: {}, rescan: false, reference: false, oneFileSystem: false, excludeCaches: false },
      ...{ limits: noLimits, chunker: "fixed-1" },
    },
    {
      session,
      keys: honest.account.keys,
      device: { id: honest.id, name: "laptop" },
      ...{ agentVersion: "test", host: "host" },
      cachePath: join(scratch, `cache ${runs++}`),
      // What is read back by chance is another defence.
      readBackOneIn: 2 ** 47,
      nowMs: Date.now,
      signal: new AbortController().signal,
      warn: (_path, what) => warnings.push(what),
      progress: () => undefined,
    },
  );
}

/** A session at the gateway; `onCommit` is called before each commit. */
async function session(onCommit: () => Promise<void> | void = () => {}): Promise<BackupSession> {
  const connection = {
    client: honest.client,
    enrollment: { vault: honest.vault },
    seen: { sequence: () => 0, noteSequence: () => undefined },
    atHome: <T>(work: () => Promise<T>): Promise<T> => work(),
    requireEpoch: async () => undefined,
  } as unknown as AgentConnection;
  const real = await GatewayBackupSession.start(connection, item, new AbortController().signal);
  const commit: BackupSession["commit"] = async (object, figures) => {
    await onCommit();
    return await real.commit(object, figures);
  };
  return new Proxy(real, {
    get: (target, name) => {
      if (name === "commit") return commit;
      const value: unknown = Reflect.get(target, name, target);
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
}

/** All records that a backup of the source makes, by id in hex. */
async function recordsToCome(): Promise<Map<string, Buffer>> {
  const memory = new MemoryGateway();
  await backup(memory.session(honest.group));
  expect(warnings).toEqual([]);
  return memory.records;
}

const report = (ids: readonly string[]) =>
  liar.client.suspect(liar.vault, { group: liar.group, ids: [...ids] });

async function liarsSession(): Promise<string> {
  const { id } = await liar.client.putItem("lies");
  const request = { vault: liar.vault, item: id, highestSequence: 0 };
  return (await liar.client.startSession(request)).session;
}

/** Stores others under these ids, which name a record that is then reported. */
async function poison(ids: readonly string[]): Promise<void> {
  const { keys } = liar.account;
  const named = dataRecord(liar);
  const at = await liarsSession();
  const lies = ids.map((id) =>
    sealRecord({
      ...{ keys, group: liar.group, type: RecordType.directory, refs: named.id },
      ...{ plaintext: randomBytes(100), id: Buffer.from(id, "hex") },
    }),
  );
  const { statuses } = await liar.client.records(at, [named.record, ...lies]);
  expect([...statuses].every((status) => status === RecordStatus.stored)).toBe(true);
  expect(await report([toHex(named.id)])).toMatchObject({ quarantined: 1 });
}

/** These records of the backup are at the gateway, and what their ids name. */
async function expectSound(wanted: ReadonlyMap<string, Buffer>, which: readonly string[]): Promise<void> {
  const { client, vault, group, account } = honest;
  const ids = which.map((id) => Buffer.from(id, "hex"));
  const found = await client.readAll(vault, group, ids);
  for (const [index, expectedId] of ids.entries()) {
    const result = found[index];
    if (result?.state !== "record") throw new Error(`record ${toHex(expectedId)} is ${result?.state}`);
    const expectedType = parseRecordHeader(wanted.get(toHex(expectedId)) as Buffer).type;
    openRecord({ keys: account.keys, group, record: result.record, expectedId, expectedType });
  }
}

/** Of some records, those that a snapshot reaches: folders above the source change while tests run. */
async function reachedOf(root: string, ids: Iterable<string>): Promise<string[]> {
  const reached = new Set([root]);
  for (const id of reached) {
    const [found] = await honest.client.readAll(honest.vault, honest.group, [Buffer.from(id, "hex")]);
    if (found?.state !== "record") throw new Error(`record ${id} is ${found?.state}`);
    const { refs } = parseRecordHeader(found.record);
    for (let at = 0; at < refs.length; at += 32) reached.add(toHex(refs.subarray(at, at + 32)));
  }
  return [...ids].filter((id) => reached.has(id));
}

const typesOf = (records: ReadonlyMap<string, Buffer>): Map<RecordType, string[]> =>
  Map.groupBy(records.keys(), (id) => parseRecordHeader(records.get(id) as Buffer).type) as Map<
    RecordType,
    string[]
  >;

test("pages of directories: its own are sent, and the commit goes through without another walk", async () => {
  const wanted = await recordsToCome();
  const pages = typesOf(wanted).get(RecordType.directory) as string[];
  expect(pages.length).toBeGreaterThan(3);
  await poison(pages);
  let commits = 0;
  const outcome = await backup(
    await session(() => {
      commits++;
    }),
  );
  expect(commits).toBe(2);
  const reached = await reachedOf(outcome.root, pages);
  expect(reached.length).toBeGreaterThan(3);
  expect(outcome.warnings).toBe(reached.length);
  for (const warning of warnings) expect(warning).toContain("device desktop");
  await expectSound(wanted, reached);
});

test("every record that it will make, whatever its type", async () => {
  const wanted = await recordsToCome();
  const types = typesOf(wanted);
  expect([...types.keys()].sort()).toEqual([RecordType.data, RecordType.directory, RecordType.extents]);
  await poison([...wanted.keys()]);
  const { snapshot, root } = await backup(await session());
  const reached = await reachedOf(root, wanted.keys());
  expect(reached.length).toBeGreaterThan(15);
  expect(new Set(warnings).size).toBe(reached.length);
  await expectSound(wanted, reached);
  expect((await honest.client.snapshots()).map(({ id }) => id)).toEqual([snapshot]);
});

test("records of a snapshot that is there, reported and replaced, by the next backup", async () => {
  const wanted = await recordsToCome();
  const first = await backup(await session());
  const there = await reachedOf(first.root, wanted.keys());
  await report(there);
  await poison(there);
  const second = await backup(await session());
  expect(second.sequence).toBe(2);
  const reached = await reachedOf(second.root, wanted.keys());
  expect(reached.length).toBeGreaterThan(15);
  expect(warnings.length).toBeGreaterThan(0);
  await expectSound(wanted, reached);
});

test("one that goes on reporting ends the backup, which neither hangs nor commits", async () => {
  let commits = 0;
  const wanted = await recordsToCome();
  const pages = typesOf(wanted).get(RecordType.directory) as string[];
  const lying = await session(async () => {
    commits++;
    await report(pages);
  });
  await expect(backup(lying)).rejects.toMatchObject({ code: ErrorCode.missingChunks });
  expect(commits).toBeLessThan(12);
  expect(await honest.client.snapshots()).toEqual([]);
  // What is sound was reported by a liar alone: nothing says that this device found it wrong.
  expect(warnings).toEqual([]);
  const { sequence } = await backup(await session());
  expect(sequence).toBe(1);
});
