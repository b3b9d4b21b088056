// App passwords on the command line: with a running gateway and without one the same.

import { join } from "node:path";
import { expect, test } from "vitest";
import { done, enroll, holdfast, lastEvent, openSite } from "./program.ts";

const form = /^hfp(?:-[0-9a-hjkmnp-tv-z]{5}){7}$/;

test("makes, lists and revokes app passwords", async () => {
  const site = await openSite();
  await enroll(site, "laptop");
  const command = (...args: string[]) => ["account", "app-password", ...args, "--data", site.data];
  const listed = async (account = "alice") =>
    JSON.parse(await done(...command("list", account, "--json"))) as { id: string; label: string }[];

  // A person's form: nothing but the password on stdout, what it is for on stderr.
  const plain = await holdfast(
    ...command("alice", "--label", "phone", "--read", "/laptop", "--expires", "30d"),
  );
  expect(plain.status).toBe(0);
  const password = plain.stdout.trimEnd();
  expect(password).toMatch(form);
  const id = password.split("-")[1]!;
  expect(plain.stderr).toMatch(/\/laptop of account alice over WebDAV, until 2/);
  expect(plain.stderr).toContain(`holdfast account app-password revoke alice ${id}`);
  const quiet = await holdfast(...command("alice", "--quiet"));
  expect([quiet.status, quiet.stderr]).toEqual([0, ""]);
  expect(quiet.stdout.trimEnd()).toMatch(form);
  const event = lastEvent(await done(...command("alice", "--as-user", "1000:1000,27", "--json")));
  expect(event).toMatchObject({
    event: "done",
    account: "alice",
    label: "",
    read: null,
    asUser: { uid: 1000, gids: [1000, 27] },
    expires: null,
  });
  expect(event.password).toMatch(form);

  expect(await done(...command("list", "alice"))).toMatch(
    new RegExp(`ID +LABEL +READS.*\\n${id} +phone +/laptop +- +20\\S+ +never +20\\S+\\n`),
  );
  expect(await listed()).toMatchObject([
    { id, label: "phone", read: "/laptop", asUser: null, expired: false, lastUsed: null },
    { label: "" },
    { id: event.id, asUser: { uid: 1000 } },
  ]);
  expect(JSON.stringify(await listed())).not.toContain("hash");

  // Without a gateway, in the data directory itself.
  await site.gateway.stop();
  expect((await listed()).length).toBe(3);
  expect(await done(...command("revoke", "alice", "phone"))).toContain(`${id} (phone)`);
  expect(lastEvent(await done(...command("revoke", "alice", event.id as string, "--json")))).toMatchObject({
    event: "done",
    id: event.id,
  });
  expect((await listed()).length).toBe(1);
  const again = await holdfast(...command("revoke", "alice", "phone"));
  expect([again.status, again.stdout]).toEqual([1, ""]);
  expect(again.stderr).toContain("app-password list alice");

  // An account may be called like a word of the command.
  for (const name of ["list", "revoke"]) {
    await done(
      ...["account", "add", name, "--data", site.data, "--password-file", site.password],
      ...["--recovery-key-file", join(site.folder, name), "--kdf-iterations", "210000"],
    );
    expect((await done(...command(name))).trimEnd()).toMatch(form);
    const [row] = await listed(name);
    await done(...command("revoke", name, row!.id));
    expect(await listed(name)).toEqual([]);
  }
});

test("refuses what cannot be meant", async () => {
  const site = await openSite();
  await enroll(site, "laptop");
  const refused = async (...args: string[]) => {
    const ran = await holdfast("account", "app-password", ...args, "--data", site.data, "--json");
    return [ran.status, lastEvent(ran.stdout).code];
  };
  const usage = [2, "usage"];
  expect(await refused()).toEqual(usage);
  expect(await refused("revoke", "alice")).toEqual(usage);
  expect(await refused("list")).toEqual(usage);
  expect(await refused("lsit", "alice")).toEqual(usage);
  expect(await refused("list", "alice", "x")).toEqual(usage);
  expect(await refused("list", "alice", "--label", "x")).toEqual(usage);
  expect(await refused("revoke", "alice", "x", "--expires", "1d")).toEqual(usage);
  for (const user of ["root", "1000:1,,2", "4294967295"])
    expect(await refused("alice", "--as-user", user), user).toEqual(usage);
  for (const path of ["", "/laptop/../.."])
    expect(await refused("alice", "--read", path), path).toEqual(usage);
  expect(await refused("alice", "--expires", "999999999d")).toEqual(usage);
  expect(await refused("alice", "--label", "a\tb")).toEqual(usage);
  expect(await refused("alice", "--read", "/desktop")).toEqual([1, "not-found"]);
  expect(await refused("bob")).toEqual([1, "not-found"]);
  expect(await refused("list", "bob")).toEqual([1, "not-found"]);
  expect(
    JSON.parse(await done("account", "app-password", "list", "alice", "--data", site.data, "--json")),
  ).toEqual([]);
});
