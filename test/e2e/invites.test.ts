// Machines that come by invite files, as people do it: real processes, two that race with one file, a machine that takes a dead one's place.

import { readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { done, holdfast, lastEvent, makeSource, openSite } from "./program.ts";

test("files enrol machines without the password, once; one takes over a dead machine and goes on with its history", {
  timeout: 60_000,
}, async () => {
  const site = await openSite();
  const state = (name: string): string => join(site.folder, name);
  const source = makeSource(site.folder);
  const invite = async (...words: string[]): Promise<string[]> => {
    const out = join(site.folder, "invites");
    const made = [...words, "--out", out, "--url", site.url, "--password-file", site.password];
    const event = lastEvent(await done("account", "invite", "alice", ...made, "--data", site.data, "--json"));
    return (event.invites as { file: string }[]).map(({ file }) => file);
  };
  const [first = "", second = "", third = ""] = await invite("--count", "3");
  const enroll = (file: string, name: string, ...more: string[]) =>
    holdfast("agent", "enroll", "--invite", file, "--state", state(name), ...more);
  const racing = await Promise.all(["a", "b"].map((name) => enroll(first, name, "--device", name)));
  expect(racing.map(({ status }) => status).sort()).toEqual([0, 1]);
  const lost = racing.find(({ status }) => status === 1);
  expect(lost?.stderr).toMatch(/this invite (was used by device|is being used by another machine)/);
  expect(await enroll(second, "old", "--device", "server")).toMatchObject({ status: 0, stderr: "" });

  await done("agent", "backup", source, "--state", state("old"));
  await done(
    "item",
    "add",
    "alice/server/files",
    source,
    "--schedule",
    "daily at 02:00",
    "--data",
    site.data,
  );
  const [takeOver = ""] = await invite("--take-over", "server");
  expect(await enroll(takeOver, "new", "--device", "other")).toMatchObject({ status: 0 });
  const old = await holdfast("agent", "backup", source, "--state", state("old"));
  expect([old.status, old.stderr]).toEqual([1, expect.stringContaining("token")]);
  const restored = join(site.folder, "restored");
  await done("agent", "restore", `latest:${source}`, "--target", restored, "--state", state("new"));
  expect(readdirSync(restored).sort()).toEqual(readdirSync(source).sort());
  writeFileSync(join(source, "more.txt"), "of the new machine\n");
  const backup = lastEvent(await done("agent", "backup", source, "--state", state("new"), "--json"));
  expect(backup).toMatchObject({ item: "files", reference: null });
  expect(backup.sent_bytes).toBeLessThan(20_000);
  const snapshots = JSON.parse(await done("agent", "snapshots", "--state", state("new"), "--json"));
  expect(snapshots).toMatchObject([{ device: "server" }, { device: "server" }]);

  const rotated = await done(
    ...["vault", "rotate", "alice", "--password-file", site.password, "--data", site.data],
  );
  expect(rotated).toContain("1 invite of before the new keys can no longer be used");
  expect((await enroll(third, "late")).stderr).toContain("of before the account's keys were rotated");
  const gone = lastEvent(
    await done("account", "invite", "revoke", "alice", "--all", "--data", site.data, "--json"),
  );
  expect(gone.revoked).toMatchObject([{ state: "revoked", claimed: null }]);
  expect((await enroll(third, "late")).stderr).toContain("this invite was revoked at");
  const wrong = await enroll(third, "late", "--fingerprint", site.fingerprint);
  expect([wrong.status, wrong.stderr]).toEqual([2, expect.stringContaining("do not go together")]);
});
