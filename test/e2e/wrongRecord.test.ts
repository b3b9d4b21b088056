// A device with the account's keys stores records whose content is not what their ids name: who notices, what is mended, and who
// is never touched. Real gateway process; backups run here, so that the share that is read back can be chosen.

import { randomBytes } from "node:crypto";
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { runBackup } from "../../agent/backup/backup.ts";
import { GatewayBackupSession } from "../../agent/session/backupSession.ts";
import { AgentConnection } from "../../agent/session/connection.ts";
import { noLimits } from "../../agent/source/portion.ts";
import { resolveTopPaths } from "../../agent/source/topPaths.ts";
import { cachePath, lockState } from "../../agent/state/stateDirectory.ts";
import { RecordStatus } from "../../ingest/wire/recordStatus.ts";
import { toHex } from "../../vault/bytes.ts";
import { chunkId } from "../../vault/chunkId.ts";
import { limits } from "../../vault/limits.ts";
import { RecordType } from "../../vault/magic.ts";
import { sealRecord } from "../../vault/record.ts";
import { compareTrees } from "../fidelity/compareTrees.ts";
import { done, enroll, enrollArguments, holdfast, openSite, type Ran, type Site } from "./program.ts";

const mismatch = "the content of the record is not what its id names";
/** No chunk of a test is drawn by so small a chance. */
const never = 2 ** 47;
const noRefs = Buffer.alloc(0);

let site: Site;
/** State directories: of the liar, of a device in its group, and of one in a group of its own. */
let desktop: string;
let laptop: string;
let kiosk: string;
const undo: (() => void | Promise<void>)[] = [];

beforeAll(async () => {
  site = await openSite((step) => undo.push(step));
  [desktop, laptop] = [await enroll(site, "desktop"), await enroll(site, "laptop")];
  await done(...enrollArguments(site, "kiosk"), "--isolated");
  kiosk = join(site.folder, "state-kiosk");
});

afterAll(async () => {
  for (const step of undo.reverse()) await step();
});

async function withSession<T>(
  state: string,
  item: string,
  work: (connection: AgentConnection, session: GatewayBackupSession) => Promise<T>,
): Promise<T> {
  const lock = lockState(state);
  const connection = new AgentConnection(state);
  try {
    const session = await GatewayBackupSession.start(connection, item, new AbortController().signal);
    return await work(connection, session);
  } finally {
    connection.close();
    lock.release();
  }
}

/** A folder with a file `bad` of this content, which is one chunk; what it has besides is in other chunks. */
type Source = { readonly folder: string; readonly bad: Buffer };

function makeSource(name: string): Source {
  const folder = join(site.folder, name);
  mkdirSync(join(folder, "small"), { recursive: true });
  // Longer than files that share a bundle, and one whole chunk of the fixed chunker.
  const bad = randomBytes(limits.bundledFileBytesMax + 1);
  writeFileSync(join(folder, "bad"), bad);
  writeFileSync(join(folder, "good"), randomBytes(bad.length));
  writeFileSync(join(folder, "small", "text"), `of ${name}\n`);
  return { folder, bad };
}

/** The desktop stores something else under the id of this content; returns the id. */
function lie(content: Buffer): Promise<Buffer> {
  return withSession(desktop, "lies", async (connection, session) => {
    const keys = await connection.keys(connection.enrollment.vault, "write");
    const { group } = session;
    const id = chunkId(keys.idKey(group), RecordType.data, noRefs, content);
    const plaintext = Buffer.alloc(content.length, "not what was there ");
    const record = sealRecord({ keys, group, type: RecordType.data, plaintext, refs: noRefs, id });
    expect([...(await session.records([record])).statuses]).toEqual([RecordStatus.stored]);
    return id;
  });
}

async function backup(state: string, { folder }: Source, item: string, readBackOneIn: number) {
  const warnings: string[] = [];
  const outcome = await withSession(state, item, async (connection, session) =>
    runBackup(
      {
        paths: resolveTopPaths([folder]),
        item,
        rules: {},
        rescan: true,
        reference: false,
        oneFileSystem: false,
        excludeCaches: false,
        limits: noLimits,
        chunker: "fixed-1",
      },
      {
        session,
        keys: await connection.keys(connection.enrollment.vault, "write"),
        device: connection.enrollment.device,
        agentVersion: "test",
        host: "host",
        cachePath: cachePath(state, session.itemId),
        readBackOneIn,
        nowMs: Date.now,
        signal: new AbortController().signal,
        warn: (_path, what) => warnings.push(what),
        progress: () => undefined,
      },
    ),
  );
  return { ...outcome, warnings };
}

function restore(state: string, snapshot: string, { folder }: Source): Promise<Ran> {
  const target = restoredOf({ folder });
  rmSync(target, { recursive: true, force: true });
  return holdfast("agent", "restore", `${snapshot}:${folder}`, "--target", target, "--state", state);
}

function restoredOf({ folder }: Pick<Source, "folder">): string {
  return `${folder}-restored`;
}

async function expectRight(state: string, snapshot: string, source: Source): Promise<void> {
  expect(await restore(state, snapshot, source)).toMatchObject({ status: 0 });
  expect(compareTrees(source.folder, restoredOf(source))).toEqual([]);
}

test("read-back finds it, tells the gateway, and sends a good copy; the older snapshot is mended with it", async () => {
  const source = makeSource("read-back");
  const id = toHex(await lie(source.bad));
  const trusting = await backup(laptop, source, "trusting", never);
  expect(trusting.warnings).toEqual([]);

  const careful = await backup(laptop, source, "careful", 1);
  expect(careful.warnings).toEqual([expect.stringContaining(id.slice(0, 16))]);
  expect(careful.sentBytes).toBeGreaterThan(source.bad.length);
  await expectRight(laptop, careful.snapshot, source);
  await expectRight(laptop, trusting.snapshot, source);
  await done("agent", "check", careful.snapshot, "--read-data", "100%", "--state", laptop);

  const again = await backup(laptop, source, "again", 1);
  expect(again.warnings).toEqual([]);
});

test("restore and cat refuse that file alone; check names the file, and the next backup mends it", async () => {
  const source = makeSource("on-read");
  const id = toHex(await lie(source.bad));
  const { snapshot } = await backup(laptop, source, "on-read", never);
  const path = (name: string): string => `${snapshot}:${join(source.folder, name)}`;

  const restored = await restore(laptop, snapshot, source);
  expect(restored.status).toBe(3);
  expect(restored.stderr.match(/^holdfast: warning: .*$/gm)).toEqual([expect.stringContaining(mismatch)]);
  expect(restored.stderr).toContain(`warning: ${join(source.folder, "bad")}: `);
  expect(readdirSync(restoredOf(source)).sort()).toEqual(["good", "small"]);
  expect(readFileSync(join(restoredOf(source), "good"))).toEqual(readFileSync(join(source.folder, "good")));

  const refused = await holdfast("agent", "cat", path("bad"), "--state", laptop);
  expect(refused).toMatchObject({ status: 1, stdout: "", stderr: expect.stringContaining(mismatch) });
  expect(refused.stderr).toContain(id);
  expect(await done("agent", "cat", path("small/text"), "--state", laptop)).toBe("of on-read\n");

  const checked = await holdfast("agent", "check", snapshot, "--read-data", "100%", "--state", laptop);
  expect(checked.status).toBe(1);
  expect(checked.stderr).toContain(mismatch);
  expect(checked.stderr).toContain(`; it hurts ${join(source.folder, "bad")}\n`);
  expect(checked.stdout).toContain("1 problem");

  await backup(laptop, source, "on-read", never);
  await expectRight(laptop, snapshot, source);
  await done("agent", "check", snapshot, "--read-data", "100%", "--state", laptop);
});

test("an isolated device is not touched; what it finds in another group it lists, and that group's device must tell", async () => {
  const source = makeSource("isolated");
  const id = toHex(await lie(source.bad));
  const { snapshot } = await backup(laptop, source, "shared", never);

  const own = await backup(kiosk, source, "own", 1);
  expect(own).toMatchObject({ warnings: [], readBackBytes: 0 });
  expect(own.sentBytes).toBeGreaterThan(2 * source.bad.length);
  await expectRight(kiosk, own.snapshot, source);
  await done("agent", "check", "--read-data", "100%", "--state", kiosk);

  const check = ["agent", "check", snapshot, "--device", "laptop", "--read-data", "100%"];
  // Twice the same: it could not tell the gateway.
  for (const _ of [1, 2]) {
    const foreign = await holdfast(...check, "--state", kiosk);
    expect(foreign.status).toBe(1);
    expect(foreign.stderr).toContain(`${mismatch}; it hurts ${join(source.folder, "bad")}\n`);
    expect(foreign.stderr).toContain("`holdfast agent check --read-data 100%` on laptop as well");
    expect(foreign.stderr).toContain("1 chunk missing or damaged");
  }
  const json = await holdfast(...check, "--state", kiosk, "--json");
  expect(json.stdout).toContain(id);

  const told = await holdfast(...check, "--state", laptop);
  expect(told.stderr).toContain(mismatch);
  expect(told.stderr).not.toContain("as well");
  const after = await holdfast(...check, "--state", kiosk);
  // What was reported is given to readers while there is nothing better: a report proves nothing.
  expect(after.stderr).toContain(mismatch);
  await backup(laptop, source, "shared", never);
  await done(...check, "--state", kiosk);
});

test("who wrote it is named by the backup that reads it back, and by check", async () => {
  const source = makeSource("named");
  const path = join(source.folder, "bad");
  await lie(source.bad);
  const { warnings } = await backup(laptop, source, "named", 1);
  expect(warnings).toEqual([expect.stringContaining("which device desktop wrote")]);

  const next = randomBytes(source.bad.length);
  writeFileSync(path, next);
  await lie(next);
  const { snapshot } = await backup(laptop, source, "named", never);
  const checked = await holdfast("agent", "check", snapshot, "--read-data", "100%", "--state", laptop);
  expect(checked.stderr).toContain(`${mismatch}; device desktop wrote it; it hurts ${path}\n`);
});
