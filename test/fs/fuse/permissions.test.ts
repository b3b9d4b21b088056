// Who may do what in a drive: archived owners, modes and ACLs bind other users; nothing archived gives anybody rights here; and no
// change is taken even from a kernel that would let it through.

import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { kernelDriver } from "../../../fs/fuse/kernelDriver.ts";
import { nativeDriver } from "../../../fs/fuse/nativeDriver.ts";
import { directory, file, MemoryView, node } from "../memoryView.ts";
import { canMount, mountPoints, sh, tool } from "./mounting.ts";
import { acl, NOBODY, sampleAcl } from "./nastyTree.ts";

/** user::rw- user:1234:rw- group::--- group:77:r-- mask::rw- other::--- */
const wideAcl = acl([
  [0x01, 6, NOBODY],
  [0x02, 6, 1234],
  [0x04, 0, NOBODY],
  [0x08, 4, 77],
  [0x10, 6, NOBODY],
  [0x20, 0, NOBODY],
]);
const withAcl = (value: Buffer) => new Map([["system.posix_acl_access", value]]);

const view = new MemoryView(
  directory([
    ["private", file("secret", { mode: 0o600, uid: 4321, gid: 50 })],
    ["group", file("shared", { mode: 0o640, uid: 4321, gid: 50 })],
    ["world", file("public", { mode: 0o644, uid: 4321, gid: 50 })],
    ["acl", file("listed", { mode: 0o640, uid: 4321, gid: 50, xattrs: withAcl(sampleAcl) })],
    ["wide", file("listed", { mode: 0o660, uid: 4321, gid: 50, xattrs: withAcl(wideAcl) })],
    ["broken", file("x", { mode: 0o666, uid: 4321, xattrs: withAcl(Buffer.from("no ACL at all")) })],
    ["closed", directory([["inside", file("x", { mode: 0o666 })]], { mode: 0o700, uid: 4321 })],
    ["drop", directory([["x", file("x")]], { mode: 0o3777, uid: 4321, gid: 50 })],
    ["listed", directory([["x", file("x")]], { mode: 0o711, uid: 4321 })],
    ["setuid", file("#!/bin/sh\n", { mode: 0o6755 })],
    ["null", node("characterDevice", { mode: 0o666, deviceMajor: 1, deviceMinor: 3 })],
    ["disk", node("blockDevice", { mode: 0o666, deviceMajor: 7, deviceMinor: 0 })],
  ]),
);

describe.skipIf(!canMount())("rights in a drive", () => {
  const here = mountPoints();

  /** Whether a user with these groups can do this to a name: "yes" or the reason. */
  async function as(uid: number, groups: string, command: string, name: string): Promise<string> {
    const user = `setpriv --reuid ${uid} --regid ${uid} ${groups === "" ? "--clear-groups" : `--groups ${groups}`}`;
    const ran = await sh(`${user} ${command} "$1" >/dev/null`, join(here.mnt, name));
    return ran.status === 0 ? "yes" : (/: ([^:]+)$/.exec(ran.stderr.trim())?.[1] ?? ran.stderr);
  }
  const denied = "Permission denied";

  it("are the archived ones for other users", async () => {
    await here.mount(kernelDriver(), view, { allowOther: true });
    const cases: [number, string, string, string, string][] = [
      [4321, "", "cat", "private", "yes"],
      [4322, "", "cat", "private", denied],
      [4322, "50", "cat", "private", denied],
      [4322, "50", "cat", "group", "yes"],
      [4322, "51", "cat", "group", denied],
      [4322, "", "cat", "world", "yes"],
      // The ACL lets 1234 in, and the group through its mask.
      [1234, "", "cat", "acl", "yes"],
      [1235, "", "cat", "acl", denied],
      [1235, "50", "cat", "acl", "yes"],
      // The group's bits of the mode are the mask here: the owning group itself has no right.
      [1235, "50", "cat", "wide", denied],
      [1235, "77", "cat", "wide", "yes"],
      [1234, "", "cat", "wide", "yes"],
      // An ACL that nobody can read lets nobody in by it.
      [1234, "", "cat", "broken", "Operation not supported"],
      [4321, "", "ls", "closed", "yes"],
      [4322, "", "ls", "closed", denied],
      [4322, "", "cat", "closed/inside", denied],
      [4322, "", "ls", "listed", denied],
      [4322, "", "cat", "listed/x", "yes"],
      [4322, "", "ls", "drop", "yes"],
    ];
    for (const [uid, groups, command, name, expected] of cases)
      expect([name, uid, groups, await as(uid, groups, command, name)]).toEqual([
        name,
        uid,
        groups,
        expected,
      ]);
    expect((await tool(`cd "$1" && stat -c '%a %u:%g' drop setuid`, here.mnt)).toString()).toBe(
      "3777 4321:50\n6755 0:0\n",
    );
    // Root keeps its own.
    expect((await tool(`cat "$1/private" "$1/closed/inside"`, here.mnt)).toString()).toBe("secretx");
  });

  it("give nothing to those who run what was archived, or open its devices", async () => {
    await here.mount(kernelDriver(), view, { allowOther: true });
    const options = (await tool(`findmnt -no OPTIONS,FSTYPE,SOURCE "$1"`, here.mnt)).toString();
    for (const option of [
      "ro",
      "nosuid",
      "nodev",
      "noatime",
      "default_permissions",
      "allow_other",
      "fuse.holdfast",
    ])
      expect(options).toMatch(new RegExp(`\\b${option.replace(".", "\\.")}\\b`));
    for (const name of ["null", "disk"]) expect(await as(0, "", "head -c 1", name)).toBe(denied);
    expect((await tool(`cd "$1" && stat -c '%F %t:%T' null`, here.mnt)).toString()).toBe(
      "character special file 1:3\n",
    );
  });

  it("of others are none without allow_other", async () => {
    await here.mount(kernelDriver(), view, {});
    expect(await as(4321, "", "cat", "world")).toBe(denied);
    expect((await tool(`cat "$1/world"`, here.mnt)).toString()).toBe("public");
  });

  it("go to one user with --as-user, and to no numbers of another machine", async () => {
    await here.mount(kernelDriver(), view, { allowOther: true, asUser: { uid: 5000, gid: 600 } });
    const owners = await tool(`cd "$1" && stat -c '%u:%g' * closed/inside | sort -u`, here.mnt);
    expect(owners.toString()).toBe("5000:600\n");
    const modes = await tool(`cd "$1" && stat -c '%a' private drop setuid`, here.mnt);
    expect(modes.toString()).toBe("600\n3777\n6755\n");
    const cases: [number, string, string, string][] = [
      [5000, "", "private", "yes"],
      [5000, "", "closed/inside", "yes"],
      [4321, "", "private", denied],
      [5001, "600", "group", "yes"],
      [5001, "50", "group", denied],
      [1234, "", "acl", denied],
      [5001, "77", "wide", denied],
      [5001, "600", "wide", denied],
      [5001, "600", "acl", "yes"],
    ];
    for (const [uid, groups, name, expected] of cases)
      expect([name, uid, groups, await as(uid, groups, "cat", name)]).toEqual([name, uid, groups, expected]);
    expect((await tool(`cd "$1" && getfacl -cn wide`, here.mnt)).toString().trim()).toBe(
      "user::rw-\ngroup::---\nmask::rw-\nother::---",
    );
  });

  it("to change something are nobody's, not even when root makes the mount writable", async () => {
    await here.mount(kernelDriver(), view, { allowOther: true });
    await tool(`mount -i -o remount,rw "$1"`, here.mnt);
    expect((await tool(`findmnt -no OPTIONS "$1"`, here.mnt)).toString()).toMatch(/^rw/);
    const attempts = [
      "touch new",
      "touch world",
      "mkdir d",
      "rm world",
      "rmdir drop",
      "mv world other",
      "mv -T closed drop",
      "ln world other",
      "ln -s a b",
      "mkfifo p",
      "mknod n c 1 3",
      "chmod 600 world",
      "chown 1 world",
      "truncate -s 1 world",
      "setfattr -n user.a -v b world",
      "setfattr -x system.posix_acl_access acl",
      "setfacl -m u:1:r world",
      "sh -c 'echo x > world'",
      "fallocate -l 10000 world",
    ];
    for (const attempt of attempts) {
      const ran = await sh(`cd "$1" && ${attempt}`, here.mnt);
      expect(`${attempt}: ${ran.status} ${ran.stderr}`).toMatch(/: [12] .*Read-only file system/);
    }
    // The kernel lets files be opened then, so it is the write itself that is refused, cached or not.
    for (const how of ["bs=4096", "bs=2", "bs=2 oflag=append", "bs=4096 oflag=direct"]) {
      const ran = await sh(`cd "$1" && head -c 4096 /dev/zero | dd of=world conv=notrunc ${how}`, here.mnt);
      expect(ran.stderr, how).toContain("Read-only file system");
      expect((await tool(`cat "$1/world"`, here.mnt)).toString()).toBe("public");
    }
  });

  it.runIf(process.arch === "x64")("are harmless with fuse-native too", async () => {
    await here.mount(nativeDriver, view, { allowOther: true });
    const options = (await tool(`findmnt -no OPTIONS "$1"`, here.mnt)).toString();
    for (const option of ["ro", "nosuid", "nodev", "default_permissions", "allow_other"])
      expect(options).toMatch(new RegExp(`\\b${option}\\b`));
    expect(await as(4321, "", "cat", "private")).toBe("yes");
    expect(await as(4322, "", "cat", "private")).toBe(denied);
    expect(await as(4322, "50", "cat", "group")).toBe("yes");
    // No ACL lets anybody in, and none is lost on the owning group.
    expect(await as(1235, "50", "cat", "wide")).toBe(denied);
    expect(await as(1235, "50", "cat", "acl")).toBe("yes");
    expect(await as(1234, "", "cat", "wide")).toBe(denied);
    expect(await as(0, "", "head -c 1", "null")).toBe(denied);
  });
});
