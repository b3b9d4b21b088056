// Folders as archives and histories of paths: what may be had, and how it is named. What is in archives is tested in test/fs/archive.

import { execFileSync } from "node:child_process";
import { expect, test } from "vitest";
import type { HistoryPath, PathVersion } from "../../../fs/view/ports.ts";
import type { WebScope } from "../../../fs/view/webPort.ts";
import type { WebDav } from "../../../fs/webdav/webDav.ts";
import { directory, file } from "../memoryView.ts";
import { alice, ask, bodyOf, davOver, namespaceOf, requestOf, top } from "./asking.ts";

const home = directory([
  ["open", file("open", { mode: 0o644 })],
  ["closed", file("closed", { mode: 0o600 })],
  ["mine", file("mine", { mode: 0o600, uid: 1000 })],
  ["private", directory([["inside", file("x")]], { mode: 0o700 })],
]);
const odd = directory([["f", file("f")]]);
const view = namespaceOf(
  directory([
    ["home", home],
    [Buffer.from('a"\xff;\u00fc', "latin1"), odd],
  ]),
);
const dav = davOver(view);
const ann: WebScope = { ...alice, asUser: { uid: 1000, gids: [1000] } };

function names(tar: Buffer): string[] {
  return execFileSync("tar", ["-t"], { input: tar, encoding: "utf8" }).trim().split("\n");
}

test("a folder of a snapshot as tar or ZIP, named for who saves it", async () => {
  const tar = await ask(dav, "GET", `${top}/home?archive=tar`);
  expect(tar.status).toBe(200);
  expect(tar.headers).toMatchObject({
    "content-type": "application/x-tar",
    "content-disposition": `attachment; filename="home.tar"; filename*=UTF-8''home.tar`,
    "x-content-type-options": "nosniff",
  });
  expect(names(tar.body)).toEqual([
    "home/",
    "home/open",
    "home/closed",
    "home/mine",
    "home/private/",
    "home/private/inside",
  ]);
  const zip = await ask(dav, "GET", `${top}/home?archive=zip`);
  expect(zip.headers["content-type"]).toBe("application/zip");
  expect(zip.body.subarray(0, 4).toString("latin1")).toBe("PK\u0003\u0004");
  const strange = await ask(dav, "GET", `${top}/a%22%FF%3B%FC?archive=tar`);
  expect(strange.headers["content-disposition"]).toMatch(
    /^attachment; filename="[\w .()+=@~-]+"; filename\*=UTF-8''[A-Za-z0-9%._~-]+$/,
  );
  const head = await ask(dav, "HEAD", `${top}/home?archive=tar`);
  expect([head.status, head.body.length]).toEqual([200, 0]);
  expect(head.headers["content-length"]).toBe(String(tar.body.length));
  const unknown = await ask(dav, "HEAD", `${top}/home?archive=zip`);
  expect([unknown.status, unknown.headers["content-length"]]).toEqual([200, undefined]);
  expect(names((await ask(dav, "GET", `${top}/home/open?archive=tar`)).body)).toEqual(["open"]);
});

test("pages offer archives inside snapshots and not above them", async () => {
  const links = (text: string) => Array.from(text.matchAll(/\?archive=(\w+)/g), (match) => match[1]);
  expect(links((await ask(dav, "GET", top)).text)).toEqual(["tar", "zip"]);
  expect(links((await ask(dav, "GET", "/dav/alice/pc/")).text)).toEqual([]);
});

test("what cannot be had", async () => {
  expect((await ask(dav, "GET", `${top}/home?archive=rar`)).status).toBe(400);
  expect((await ask(dav, "GET", `${top}/home?archive=constructor`)).status).toBe(400);
  expect((await ask(dav, "GET", "/dav/alice/?archive=zip")).status).toBe(403);
  expect((await ask(dav, "GET", `${top}/none?archive=zip`)).status).toBe(404);
  const scope: WebScope = { account: "alice", read: ["pc", "files", top.split("/")[5] as string, "home"] };
  expect((await ask(dav, "GET", `${top}?archive=tar`, { scope })).status).toBe(403);
  expect((await ask(dav, "GET", `${top}/home?archive=tar`, { scope })).status).toBe(200);
});

test("for a user, what that user may not read is not in it", async () => {
  const { body } = await ask(dav, "GET", `${top}/home?archive=tar`, { scope: ann });
  expect(names(body)).toEqual(["home/", "home/open", "home/mine"]);
  expect((await ask(dav, "GET", `${top}/home/private?archive=tar`, { scope: ann })).status).toBe(403);
  expect((await ask(dav, "GET", `${top}/home/closed?archive=tar`, { scope: ann })).status).toBe(403);
});

test("archive() for programs is the same, and fails with codes", async () => {
  const path = top.slice("/dav/".length);
  const answer = await dav.archive(requestOf("GET", ""), alice, `${path}/home`, "tar");
  expect(names(await bodyOf(answer))).toContain("home/open");
  const failing = (at: string, format = "tar") => dav.archive(requestOf("GET", ""), alice, at, format);
  await expect(failing(`${path}/none`)).rejects.toMatchObject({ code: "not-found" });
  await expect(failing("%zz")).rejects.toMatchObject({ code: "usage" });
  await expect(failing("alice")).rejects.toMatchObject({ code: "forbidden" });
  await expect(failing(path, "rar")).rejects.toMatchObject({ code: "usage" });
});

async function versions(front: WebDav, path: string, scope = alice): Promise<PathVersion[]> {
  const found: PathVersion[] = [];
  for await (const version of front.history(requestOf("GET", ""), scope, path)) found.push(version);
  return found;
}

test("a history is asked for by the names of the path, where its folder may be seen", async () => {
  const asked: HistoryPath[] = [];
  const version: PathVersion = {
    snapshot: "0".repeat(64),
    time: "2026-01-01T00:00:00Z",
    folder: "2026-01-01T000000Z",
    until: "2026-01-01T00:00:00Z",
    snapshots: 1,
    kind: "file",
    size: 1,
    mtimeNs: 0n,
    hash: undefined,
    reason: undefined,
  };
  const history = async function* (path: HistoryPath) {
    asked.push(path);
    yield version;
  };
  // In a history folder, a name that looks like a time has a % in front.
  const etc = directory([["%2026-01-01T000000Z", directory([])]], { mutable: true, mode: 0o711 });
  const inner = namespaceOf(directory([]), [".history", directory([["etc", etc]], { mutable: true })]);
  const front = davOver(inner, { history });
  expect(await versions(front, "alice/pc/files/etc/2026-01-01T000000Z")).toEqual([version]);
  expect(asked).toEqual([
    {
      account: "alice",
      device: "pc",
      item: "files",
      names: [Buffer.from("etc"), Buffer.from("2026-01-01T000000Z")],
    },
  ]);
  await expect(versions(front, "alice/pc")).rejects.toMatchObject({ code: "usage" });
  await expect(versions(front, "bob/pc/files/etc")).rejects.toMatchObject({ code: "not-found" });
  const narrow: WebScope = { account: "alice", read: ["pc", "files", "latest"] };
  await expect(versions(front, "alice/pc/files/etc", narrow)).rejects.toMatchObject({ code: "not-found" });
});
