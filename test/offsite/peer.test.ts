// A datacentre's gateway as its administrator runs it: peers are added, listed, given new tokens and removed, beside a running gateway and without one,
// and what the token file says is all that a pusher needs. The token is in that file, and in nothing that anyone printed.

import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { packKey } from "../../gateway/replica/keys.ts";
import { openReplicaStore } from "../../gateway/replica/openStore.ts";
import { parsePeerToken } from "../../gateway/replica/peer/tokenFile.ts";
import { ErrorCode } from "../../vault/errors.ts";
import { sourceOf } from "../conformance/sources.ts";
import { done, holdfast, lastEvent, openSite, scratchFolder } from "../e2e/program.ts";
import { seededBytes, seededId } from "../vault/seeded.ts";

const bytes = seededBytes("pack", 9_000_000);
const key = packKey(
  seededId("vault").toString("hex").slice(0, 32),
  createHash("sha256").update(bytes).digest(),
);

test("from adding a peer to removing it", async () => {
  const site = await openSite();
  const data = ["--data", site.data];
  const file = join(site.folder, "box.token");
  const added = await done(
    "peer",
    "add",
    "box",
    "--quota",
    "10MiB",
    "--hold",
    "1h",
    "--token-file",
    file,
    "--url",
    `${site.url}/`,
    ...data,
  );
  expect(added).toContain(`holdfast replica add offsite ${site.url} --token-file ${file}`);
  expect(statSync(file).mode & 0o777).toBe(0o600);
  const first = parsePeerToken(readFileSync(file, "utf8"));
  expect(first).toMatchObject({ url: site.url, fingerprint: site.fingerprint, name: "box" });

  const open = (credentialsFile: string) =>
    openReplicaStore(
      { url: first.url, options: { credentialsFile }, conditionalPuts: true },
      { now: () => new Date() },
    );
  const store = await open(file);
  expect(await store.putIfAbsent(key, sourceOf(bytes))).toEqual({ outcome: "created", proof: "hashed" });
  expect((await store.getRange(key, 8_000_000, 1000)).equals(bytes.subarray(8_000_000, 8_001_000))).toBe(
    true,
  );
  expect(await store.delete(key)).toBe("locked");
  const more = seededBytes("more", 3_000_000);
  const moreKey = packKey("ab".repeat(16), createHash("sha256").update(more).digest());
  await expect(store.putIfAbsent(moreKey, sourceOf(more))).rejects.toMatchObject({
    code: ErrorCode.replicaFull,
  });

  expect(JSON.parse(await done("peer", "list", "--json", ...data))).toMatchObject([
    { name: "box", used_bytes: bytes.length, quota_bytes: 10 * 2 ** 20, objects: 1, hold_seconds: 3600 },
  ]);
  expect(await done("peer", "list", ...data)).toMatch(/^box {2,}8\.58 MiB {2,}10\.0 MiB {2,}1 /m);

  // Taken names and files, and wrong words, cost nothing.
  for (const [status, ...words] of [
    [1, "add", "box"],
    [1, "add", "other", "--token-file", file],
    [2, "add", "other", "--url", "http://elsewhere"],
    [2, "add", "other", "--quota", "many"],
    [2, "add", ".hidden"],
    [1, "rotate", "nobody"],
    [1, "remove", "nobody"],
  ] as const) {
    const ran = await holdfast("peer", ...words, ...data);
    expect(ran.status, `${words.join(" ")}: ${ran.stdout}${ran.stderr}`).toBe(status);
  }
  expect(JSON.parse(await done("peer", "list", "--json", ...data))).toHaveLength(1);

  const shown = await done("peer", "rotate", "box", "--url", site.url, ...data);
  const second = parsePeerToken(shown);
  expect(second).toMatchObject({ ...first, token: expect.not.stringMatching(first.token) });
  await expect(store.head(key)).rejects.toMatchObject({ code: ErrorCode.replicaRefused });
  await store.close();

  await site.gateway.stop();
  const printed = site.gateway.stdout + site.gateway.stderr;
  expect(printed).toContain("peer added");
  for (const { token } of [first, second]) expect(printed).not.toContain(token.slice(4));

  // The directory itself, without a gateway that runs.
  const third = join(site.folder, "third.token");
  await done("peer", "rotate", "box", "--token-file", third, "--url", site.url, ...data);
  const removed = lastEvent(await done("peer", "remove", "box", "--json", ...data));
  expect(removed).toMatchObject({ peer: "box", deleted: false });
  expect(existsSync(join(String(removed.folder), key))).toBe(true);
  const folder = await openReplicaStore(
    { url: `file://${removed.folder}`, options: {}, conditionalPuts: true },
    { now: () => new Date() },
  );
  expect(await folder.head(key)).toEqual({ bytes: bytes.length });
  await folder.close();
  await done("peer", "add", "gone", "--token-file", join(scratchFolder(), "t"), ...data);
  await done("peer", "remove", "gone", "--delete-data", ...data);
  expect(readdirSync(join(site.data, "peers"))).toHaveLength(1);
  expect(JSON.parse(await done("peer", "list", "--json", ...data))).toEqual([]);
});

test("a token file that is none, or is missing, is told before anything is asked", async () => {
  const replica = { url: "https://127.0.0.1:1", conditionalPuts: true };
  const context = { now: () => new Date() };
  await expect(openReplicaStore({ ...replica, options: {} }, context)).rejects.toMatchObject({
    code: ErrorCode.usage,
  });
  await expect(
    openReplicaStore({ ...replica, options: { credentialsFile: import.meta.filename } }, context),
  ).rejects.toMatchObject({
    code: ErrorCode.usage,
  });
});
