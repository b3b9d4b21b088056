// What a request may see: its account, its scope, what archived permissions let its user see, and what an unlocked vault has.

import { expect, test } from "vitest";
import type { WebScope } from "../../../fs/view/webPort.ts";
import { HoldfastError } from "../../../vault/errors.ts";
import { directory, file, type MemoryNode, type MemoryView, node } from "../memoryView.ts";
import { type Answered, alice, ask, davOver, hrefs, namespaceOf, time, top } from "./asking.ts";

const link = (target: string, options = {}): MemoryNode =>
  node("symlink", options, { target: Buffer.from(target) });

function snapshotWith(rows: [string, MemoryNode][]): MemoryView {
  return namespaceOf(directory(rows), ["latest", link(time)]);
}

async function list(view: MemoryView, target: string, scope: WebScope = alice): Promise<string[]> {
  const answer = await ask(davOver(view), "PROPFIND", target, { headers: { depth: "1" }, scope });
  return answer.status === 207 ? hrefs(answer) : [String(answer.status)];
}

const get = (view: MemoryView, target: string, scope: WebScope = alice): Promise<Answered> =>
  ask(davOver(view), "GET", target, { scope });

test("another account does not exist", async () => {
  const view = snapshotWith([["a", file("a")]]);
  expect(await list(view, "/dav/")).toEqual(["/dav/", "/dav/alice/"]);
  const bob: WebScope = { account: "bob", read: undefined };
  expect(await list(view, "/dav/", bob)).toEqual(["/dav/", "/dav/bob/"]);
  for (const target of ["/dav/alice/", top, `${top}/a`, "/dav/nobody"]) {
    const other = await get(view, target, bob);
    const none = await get(view, "/dav/bob/none", bob);
    expect([other.status, other.text]).toEqual([none.status, none.text]);
  }
  // An account that has a name of its own as a folder is found by it.
  expect(await list(view, "/dav/", { account: "../alice", read: undefined })).toEqual(["/dav/"]);
});

test("a scope shows the way down to it and what is below, and nothing beside", async () => {
  const home = directory([["note", file("n")]]);
  const view = snapshotWith([
    ["home", home],
    ["etc", directory([["shadow", file("s")]])],
    ["out", link("etc/shadow")],
  ]);
  const scope: WebScope = { account: "alice", read: ["pc", "files", "latest", "home"] };
  const latest = "/dav/alice/pc/files/latest";
  expect(await list(view, "/dav/alice/", scope)).toEqual(["/dav/alice/", "/dav/alice/pc/"]);
  expect(await list(view, "/dav/alice/pc/files/", scope)).toEqual(["/dav/alice/pc/files/", `${latest}/`]);
  expect(await list(view, latest, scope)).toEqual([`${latest}/`, `${latest}/home/`]);
  expect(await list(view, `${latest}/home`, scope)).toEqual([`${latest}/home/`, `${latest}/home/note`]);
  for (const hidden of [
    "/dav/alice/phone",
    `${top}/home`,
    `${latest}/etc`,
    `${latest}/out`,
    `${latest}/HOME`,
  ]) {
    expect((await get(view, hidden, scope)).status).toBe(404);
  }
  const index = await get(view, latest, scope);
  expect(index.text).toContain("home");
  expect(index.text).not.toContain("etc");
  expect(await list(view, "/dav/alice/", { account: "alice", read: ["gone"] })).toEqual(["/dav/alice/"]);
});

test("links lead to files of the snapshot, through folders or not; all others are small files", async () => {
  const view = snapshotWith([
    [
      "d",
      directory([
        ["f", file("content")],
        ["up", link("../top")],
      ]),
    ],
    ["top", file("at the top")],
    ["file", link("d/f")],
    ["absolute", link("/d/./f")],
    ["twice", link("file")],
    ["through", link("folder//f")],
    ["folder", link("d")],
    ["none", link("nowhere")],
    ["out", link("../../../../../../etc/passwd")],
    ["self", link("self")],
    ["a", link("b")],
    ["b", link("a")],
    ["beyond", link("top/f")],
    ["empty", link("")],
  ]);
  for (const name of ["file", "absolute", "twice", "through"]) {
    expect((await get(view, `${top}/${name}`)).text).toBe("content");
  }
  expect((await get(view, `${top}/d/up`)).text).toBe("at the top");
  for (const [name, target] of [
    ["folder", "d"],
    ["none", "nowhere"],
    ["out", "../../../../../../etc/passwd"],
    ["self", "self"],
    ["a", "b"],
    ["beyond", "top/f"],
    ["empty", ""],
  ] as const) {
    const shown = await get(view, `${top}/${name}`);
    expect([shown.status, shown.text]).toEqual([200, target]);
    expect((await get(view, `${top}/${name}/f`)).status).toBe(404);
  }
  const shown = await list(view, top);
  expect(shown).toHaveLength(15);
  expect(shown).toContain(`${top}/folder`);
  const hiding = davOver(view, { hideLinks: () => true });
  const fewer = await ask(hiding, "PROPFIND", top, { headers: { depth: "1" } });
  expect(hrefs(fewer).map((href) => href.slice(top.length + 1))).toEqual([
    "",
    "d/",
    "top",
    "file",
    "absolute",
    "twice",
    "through",
  ]);
  expect((await ask(hiding, "GET", `${top}/folder`)).status).toBe(404);
});

test("a link does not lead out of a scope", async () => {
  const view = snapshotWith([
    ["home", directory([["key", link("../etc/shadow")]])],
    ["etc", directory([["shadow", file("secret")]])],
  ]);
  const scope: WebScope = { account: "alice", read: ["pc", "files", "latest", "home"] };
  expect((await get(view, "/dav/alice/pc/files/latest/home/key", scope)).text).toBe("../etc/shadow");
  expect((await get(view, "/dav/alice/pc/files/latest/home/key")).text).toBe("secret");
});

test("a hostile tree of links costs a bounded number of lookups", async () => {
  const deep = Array.from({ length: 200 }, () => "d/..").join("/");
  const rows: [string, MemoryNode][] = [["d", directory([])]];
  for (let at = 0; at < 60; at++) rows.push([`l${at}`, link(`${deep}/l${(at + 1) % 60}`)]);
  const view = snapshotWith(rows);
  expect((await get(view, `${top}/l0`)).status).toBe(200);
  expect(view.counts.lookup).toBeLessThan(600);
});

const ann = (...gids: number[]): WebScope => ({
  account: "alice",
  read: undefined,
  asUser: { uid: 1000, gids: gids.length === 0 ? [1000] : gids },
});

test("with a user, archived owners and modes count", async () => {
  const view = snapshotWith([
    ["own", file("x", { uid: 1000, mode: 0o400 })],
    ["own-closed", file("x", { uid: 1000, mode: 0o077 })],
    ["group", file("x", { gid: 27, mode: 0o040 })],
    ["group-closed", file("x", { gid: 1000, mode: 0o704 })],
    ["other", file("x", { mode: 0o004 })],
    ["closed", file("x", { mode: 0o600 })],
    ["dir-closed", directory([["f", file("x")]], { mode: 0o700 })],
    ["dir-list", directory([["f", file("x")]], { mode: 0o744 })],
    ["dir-enter", directory([["f", file("x")]], { mode: 0o711 })],
    ["via", link("dir-closed/f")],
    ["via-open", link("dir-enter/f")],
  ]);
  const statuses = async (scope: WebScope, ...names: string[]) => {
    const answers = await Promise.all(names.map((name) => get(view, `${top}/${name}`, scope)));
    return answers.map(({ status }) => status);
  };
  const files = ["own", "own-closed", "group", "group-closed", "other", "closed"];
  expect(await statuses(ann(), ...files)).toEqual([200, 403, 403, 403, 200, 403]);
  expect(await statuses(ann(1000, 27), "group")).toEqual([200]);
  const folders = ["dir-closed", "dir-closed/f", "dir-list", "dir-list/f", "dir-enter", "dir-enter/f"];
  expect(await statuses(ann(), ...folders)).toEqual([403, 403, 403, 403, 403, 200]);
  expect((await get(view, `${top}/via`, ann())).text).toBe("dir-closed/f");
  expect((await get(view, `${top}/via-open`, ann())).text).toBe("x");
  const all = [...files, ...folders];
  expect(await statuses({ ...alice, asUser: { uid: 0, gids: [0] } }, ...all)).toEqual(all.map(() => 200));
  expect(await statuses(alice, ...all)).toEqual(all.map(() => 200));
  // Listed all the same, as `ls` does.
  expect(await list(view, top, ann())).toHaveLength(12);
  expect((await ask(davOver(view), "HEAD", `${top}/closed`, { scope: ann() })).status).toBe(403);
});

/** An ACL as the kernel stores it: rows of tag, permissions, id. */
function acl(...rows: [number, number, number][]): { xattrs: Map<string, Uint8Array> } {
  const bytes = Buffer.alloc(4 + rows.length * 8);
  bytes.writeUInt32LE(2);
  for (const [index, [tag, permissions, id]] of rows.entries()) {
    const at = bytes.writeUInt16LE(tag, 4 + index * 8);
    bytes.writeUInt32LE(id >>> 0, bytes.writeUInt16LE(permissions, at));
  }
  return { xattrs: new Map([["system.posix_acl_access", bytes]]) };
}

test("with a user, ACLs count before group bits, which are only their mask", async () => {
  const base = [
    [1, 6, -1],
    [4, 0, -1],
    [16, 4, -1],
    [32, 0, -1],
  ] as [number, number, number][];
  const view = snapshotWith([
    ["named", file("x", { mode: 0o640, ...acl(...base, [2, 4, 1000]) })],
    [
      "masked",
      file("x", { mode: 0o600, ...acl([1, 6, -1], [2, 4, 1000], [4, 4, -1], [16, 0, -1], [32, 0, -1]) }),
    ],
    [
      "named-no",
      file("x", { mode: 0o644, ...acl([1, 6, -1], [2, 0, 1000], [4, 4, -1], [16, 4, -1], [32, 4, -1]) }),
    ],
    ["owning-group", file("x", { gid: 1000, mode: 0o640, ...acl(...base) })],
    ["group", file("x", { mode: 0o640, ...acl(...base, [8, 4, 27]) })],
    ["broken", file("x", { mode: 0o644, xattrs: new Map([["system.posix_acl_access", Buffer.from("?")]]) })],
  ]);
  const statuses = async (scope: WebScope) => {
    const names = ["named", "masked", "named-no", "owning-group", "group", "broken"];
    return Promise.all(names.map(async (name) => (await get(view, `${top}/${name}`, scope)).status));
  };
  expect(await statuses(ann(1000))).toEqual([200, 403, 403, 403, 403, 403]);
  expect(await statuses({ ...ann(), asUser: { uid: 5, gids: [5, 27] } })).toEqual([
    403, 403, 200, 403, 200, 403,
  ]);
});

test("a locked vault says so and how to unlock it, in whatever a client shows; names above stay", async () => {
  const view = snapshotWith([]);
  view.beforeLookup = (name) => {
    if (name === "x") {
      throw new HoldfastError("vault-locked", "the vault of account alice is locked", {
        next: "holdfast vault unlock alice",
      });
    }
  };
  for (const method of ["GET", "PROPFIND"]) {
    const answer = await ask(davOver(view), method, `${top}/x`, { headers: { depth: "0" } });
    expect(answer.status).toBe(403);
    expect(answer.reason).toBe("Vault locked. Unlock it on the gateway: holdfast vault unlock alice");
    expect(answer.text).toContain("holdfast vault unlock alice");
  }
  expect(await list(view, "/dav/alice/")).toEqual(["/dav/alice/", "/dav/alice/pc/", "/dav/alice/phone/"]);
});

test("a reason phrase is printable ASCII, whatever the account is called", async () => {
  const view = snapshotWith([]);
  view.beforeLookup = (name) => {
    if (name === "x") throw new HoldfastError("vault-locked", "locked", { next: "unlock zo\u00eb\r\nX: y" });
  };
  const { reason } = await ask(davOver(view), "GET", `${top}/x`);
  expect(reason).toMatch(/^[\x20-\x7e]+$/);
});
