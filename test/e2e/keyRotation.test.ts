// Keys are rotated after a machine was stolen, as people do it: real processes, the thief with the machine's state folder and all of the gateway's
// files, the gateway killed in the middle of a rotation, and an escrow key.

import { cpSync, readdirSync, readFileSync, watch, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { afterAll, beforeAll, expect, test } from "vitest";
import { publicKeyOf } from "../../vault/keys/box.ts";
import { openWithDevice, parseKeysDocument } from "../../vault/keys/keysDocument.ts";
import { VaultKeys } from "../../vault/keys/vaultKeys.ts";
import { openSnapshot } from "../../vault/snapshot.ts";
import { restore as restoreByReference } from "../reference/restore.ts";
import { Vault } from "../reference/vault.ts";
import {
  done,
  enroll,
  holdfast,
  lastEvent,
  makeSource,
  openSite,
  Program,
  runGateway,
  type Site,
} from "./program.ts";

const undo: (() => void | Promise<void>)[] = [];
let site: Site;
let vaultFolder: string;

beforeAll(async () => {
  site = await openSite((end) => void undo.unshift(end));
  const vaults = join(site.data, "vaults");
  vaultFolder = join(vaults, readdirSync(vaults)[0] as string);
});
afterAll(async () => {
  for (const each of undo) await each();
});

const gateway = (...words: string[]): Promise<string> => done(...words, "--data", site.data);
const owner = (): string[] => ["--password-file", site.password];

/** Opens a keys document of the vault by its recovery key, with the reference reader. */
const byReference = async (): Promise<Vault> =>
  Vault.open(vaultFolder, { recoveryKey: readFileSync(site.recoveryKey, "utf8") });

test("a stolen machine reads nothing new, and everybody else goes on; then an escrow key; then kills", async () => {
  const source = makeSource(site.folder);
  const states = { laptop: await enroll(site, "laptop"), stolen: await enroll(site, "stolen") };
  const backup = async (): Promise<Record<string, unknown>> =>
    lastEvent(await done("agent", "backup", source, "--state", states.laptop, "--json"));
  // What changed in the second before a backup is read again by the next.
  await pause(1_100);
  const first = await backup();
  await gateway("vault", "unlock", "alice", ...owner());
  // The thief has had the state folder, and the gateway's files of that day.
  const thiefsCopy = join(site.folder, "copy");
  cpSync(join(vaultFolder, "keys"), thiefsCopy, { recursive: true });
  expect(await gateway("device", "revoke", "alice/stolen", "--rotate", ...owner())).toMatch(
    /revoked[\s\S]*alice\/main has new keys \(epoch 2\), for laptop\.\nIt stays unlocked\./,
  );
  writeFileSync(join(source, "after.txt"), "nothing for thieves\n");
  const second = await backup();
  expect(second.sent_bytes as number).toBeLessThan(20_000);
  expect(second.files_read).toBe(1);

  const refused = await holdfast("agent", "snapshots", "--state", states.stolen);
  expect([refused.status, refused.stderr]).toEqual([1, expect.stringContaining("token")]);
  const agent = JSON.parse(readFileSync(join(states.stolen, "agent.json"), "utf8"));
  const privateKey = Buffer.from(agent.privateKey, "base64");
  const opened: VaultKeys[] = [];
  for (const folder of [thiefsCopy, join(vaultFolder, "keys")]) {
    for (const name of readdirSync(folder)) {
      const document = parseKeysDocument(readFileSync(join(folder, name)));
      const open = () => openWithDevice(document, agent.device.id, privateKey, publicKeyOf(privateKey));
      try {
        opened.push(new VaultKeys(open().secrets));
      } catch (error) {
        expect(error).toMatchObject({ code: "key-wrong" });
      }
    }
  }
  const object = (snapshot: unknown): Buffer =>
    readFileSync(join(vaultFolder, "snapshots", String(snapshot)));
  expect(opened.length).toBeGreaterThanOrEqual(2);
  for (const keys of opened) {
    expect(openSnapshot(keys, object(first.snapshot)).body.files).toBe(first.files);
    expect(() => openSnapshot(keys, object(second.snapshot))).toThrow("key epoch 2");
  }

  for (const [name, run] of [
    ["old", first],
    ["new", second],
  ] as const) {
    const target = join(site.folder, name);
    await done("agent", "restore", String(run.snapshot), "--target", target, "--state", states.laptop);
    expect(readFileSync(join(target, source, "a.txt"), "utf8")).toBe("first\n");
    expect(readdirSync(join(target, source)).includes("after.txt")).toBe(name === "new");
  }

  // An escrow key: told by the next backup, opens, and is gone after it was removed.
  const key = join(site.folder, "escrow.key");
  const { public: publicKey } = lastEvent(await done("escrow", "keygen", "--out", key, "--json"));
  const named = ["--name", "legal", "--public-key", String(publicKey)];
  await gateway("account", "escrow", "add", "alice", ...named, ...owner());
  expect(await done("agent", "backup", source, "--state", states.laptop)).toContain(
    "escrow key legal (added",
  );
  await gateway("vault", "unlock", "alice", "--escrow-key-file", key);
  await gateway("account", "escrow", "remove", "alice", "legal", ...owner());
  const none = await holdfast("vault", "unlock", "alice", "--escrow-key-file", key, "--data", site.data);
  expect([none.status, none.stderr]).toEqual([1, expect.stringContaining("not wrapped for this escrow key")]);

  // Killed when the new document begins to be written, and when it gets its name.
  let running = site.gateway;
  for (const moment of [/\.tmp$/, /^\d+\.json$/]) {
    const before = (await byReference()).keys;
    const names = readdirSync(join(vaultFolder, "keys")).filter((name) => name.endsWith(".json"));
    const watcher = watch(join(vaultFolder, "keys"), (_what, name) => {
      if (moment.test(name ?? "")) running.child.kill("SIGKILL");
    });
    const rotating = new Program(["vault", "rotate", "alice", ...owner(), "--data", site.data]);
    await running.ended();
    watcher.close();
    await rotating.ended();
    running = await runGateway(site.data);
    undo.unshift(async () => void (await running.stop("SIGKILL")));
    const now = readdirSync(join(vaultFolder, "keys")).filter((name) => name.endsWith(".json"));
    expect(now.length - names.length).toBeOneOf([0, 1]);
    expect((await byReference()).keys.fileHashKey()).toEqual(before.fileHashKey());
    await gateway("vault", "unlock", "alice", ...owner());
  }
  const vault = await byReference();
  const { snapshots } = vault.snapshots();
  expect(snapshots).toHaveLength(3);
  for (const snapshot of snapshots) {
    const report = restoreByReference(
      vault,
      snapshot,
      join(site.folder, `reference-${snapshot.id.slice(0, 8)}`),
    );
    expect(report.failed).toEqual([]);
  }
});
