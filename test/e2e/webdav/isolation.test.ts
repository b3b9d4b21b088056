// Nobody sees more over WebDAV than the app password is for, however the address is written: not another account's, not what
// lies outside --read, not by links, histories, times, case or Unicode forms.

import * as fs from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { done } from "../program.ts";
import { type DavSite, encodePath, newAppPassword, openDavSite } from "./davSite.ts";
import { basic, type RawAnswer, rawRequest } from "./rawRequest.ts";

const undo: (() => void | Promise<void>)[] = [];
let site: DavSite;
const secret = "only-its-owner-sees-this";

/** A tree with something public, something secret beside it, and links from one to the other. */
function fill(folder: string): void {
  fs.mkdirSync(join(folder, "public/inner"), { recursive: true });
  fs.mkdirSync(join(folder, "secret"));
  fs.writeFileSync(join(folder, "public/open.txt"), "anybody may see this");
  fs.writeFileSync(join(folder, "secret/marker.txt"), secret);
  fs.symlinkSync("../secret/marker.txt", join(folder, "public/link"));
  fs.symlinkSync(join(folder, "secret/marker.txt"), join(folder, "public/absolute"));
  fs.symlinkSync("../secret", join(folder, "public/folder"));
  fs.symlinkSync("link", join(folder, "public/twice"));
  fs.symlinkSync("../open.txt", join(folder, "public/inner/fine"));
  fs.symlinkSync("../secret/../public/open.txt", join(folder, "public/through"));
}

beforeAll(async () => {
  site = await openDavSite(fill, (step) => undo.push(step));
  const { data, folder, password, url, fingerprint } = site;
  await done("agent", "backup", site.source, "--item", "private", "--state", site.state);
  // Names that differ from alice's in case, in composition, or not at all in a careless comparison.
  for (const name of ["Alice", "bob"]) {
    const key = join(folder, `key-${name}`);
    const kdf = ["--kdf-iterations", "210000"];
    const common = ["--data", data, "--password-file", password];
    await done("account", "add", name, ...common, "--recovery-key-file", key, ...kdf);
    if (name !== "bob") continue;
    const state = join(folder, `state-${name}`);
    const login = ["--account", name, "--password-file", password, "--fingerprint", fingerprint];
    await done("agent", "enroll", url, ...login, "--device", "laptop", "--state", state);
    await done("agent", "backup", site.source, "--state", state);
    await done("vault", "unlock", name, ...common);
  }
});
afterAll(async () => {
  for (const step of undo.reverse()) await step();
});

/** What a target brings with this password: its content, and a listing. */
async function looks(target: string, password: string): Promise<RawAnswer[]> {
  const headers = [basic("alice", password), "Depth: 1"];
  return [
    await rawRequest(site, `GET ${target}`, headers),
    await rawRequest(site, `PROPFIND ${target}`, headers),
  ];
}

/** Ways to write a path that leads elsewhere than it seems to, or to the same in another form. */
function disguises(account: string, below: string): string[] {
  const dots = [
    "..",
    "%2e%2e",
    "%2E%2E",
    ".%2e",
    "%2e.",
    "%252e%252e",
    "%c0%ae%c0%ae",
    "%ef%bc%8e%ef%bc%8e",
    "..%00",
    "..;",
    "...",
    ". .",
    "%20..",
  ];
  const slashes = ["/", "%2f", "%2F", "%5c", "\\", "%252f", "//", "/./", "%c0%af", "%ef%bc%8f"];
  const list = dots.flatMap((dot) =>
    slashes.map((slash) => `/dav/alice${slash}${dot}${slash}${account}/${below}`),
  );
  const deep = "/dav/alice/laptop/files/latest";
  return [
    ...list,
    `/dav/${account}/${below}`,
    `//dav/${account}/${below}`,
    `/dav//${account}/${below}`,
    `/dav/./${account}/${below}`,
    `/dav/x/../${account}/${below}`,
    `/DAV/${account}/${below}`,
    `/dav%2f${account}/${below}`,
    `/%64av/${account}/${below}`,
    `/dav/${[...account].map((letter) => `%${letter.charCodeAt(0).toString(16)}`).join("")}/${below}`,
    `/dav/${account}%00/${below}`,
    `/dav/alice%2f..%2f${account}/${below}`,
    `/dav/alice,${account}/${below}`,
    `/dav/${account}%20/${below}`,
    `/dav/${account}./${below}`,
    `https://127.0.0.1/dav/${account}/${below}`,
    `https://alice@127.0.0.1/dav/${account}/${below}`,
    `/dav/alice/?/../../${account}/${below}`,
    `/dav/alice/#/../../${account}/${below}`,
    `${deep}/../../../../${account}/${below}`,
    `${deep}/%2e%2e/%2e%2e/%2e%2e/%2e%2e/${account}/${below}`,
    `/dav/alice/laptop/files/.history/../../../../${account}/${below}`,
    `/dav/alice/.history/%2e%2e/%2e%2e/${account}/${below}`,
    `/dav/alice/laptop/files/@GMT-2026.11.25-12.00.00/../../../../${account}/${below}`,
    `/v1/../dav/${account}/${below}`,
  ];
}

describe("another account", () => {
  const tree = () => `laptop/files/latest${encodePath(site.source)}/secret`;

  it("is there for its own password, so that there is something to hide", async () => {
    const own = await rawRequest(site, `GET ${site.tree}secret/marker.txt`, [
      basic("alice", site.appPassword),
    ]);
    expect([own.status, own.text.endsWith(secret)]).toEqual([200, true]);
  });

  it.each(["bob", "Alice"])("%s shows nothing, however it is asked for", async (account) => {
    const below = ["", "laptop/", "laptop/files/latest/", `${tree()}/`, `${tree()}/marker.txt`];
    const targets = account === "bob" ? disguises(account, below.at(-1) as string) : [];
    for (const place of below) targets.push(`/dav/${account}/${place}`);
    for (const target of targets) {
      for (const { status, text } of await looks(target, site.appPassword)) {
        // A "?" or "#" ends the path: alice's own folder, which may be shown.
        if (/\/alice\/[?#]/.test(target) && status < 300) expect(text, target).not.toContain("/bob");
        else expect([400, 401, 403, 404, 405], `${target}: ${status}`).toContain(status);
        expect(text, target).not.toContain(secret);
      }
    }
  });

  it("answers as one that does not exist", async () => {
    const bare = ({ status, text }: RawAnswer) => [
      status,
      text.replaceAll(/\r\nDate: [^\r]*/gi, "").replaceAll(/bob|nob/g, "?"),
    ];
    for (const below of ["", "laptop/", "laptop/files/", `${tree()}/marker.txt`]) {
      const [there, nowhere] = [
        await looks(`/dav/bob/${below}`, site.appPassword),
        await looks(`/dav/nob/${below}`, site.appPassword),
      ];
      expect(there.map(bare)).toEqual(nowhere.map(bare));
    }
  });

  it("is in no listing, and its name with this password lets nobody in", async () => {
    for (const target of ["/", "/dav", "/dav/", "/dav/alice/", "*"]) {
      for (const { text } of await looks(target, site.appPassword)) expect(text).not.toMatch(/bob|Alice/);
    }
    for (const name of ["bob", "Alice", "ALICE", "alice ", "alice\0", ""]) {
      const { status } = await rawRequest(site, "GET /dav/alice/", [basic(name, site.appPassword)]);
      expect(status, name).toBe(401);
    }
  });
});

describe("--read", () => {
  const source = () => encodePath(site.source);
  const status = async (password: string, target: string, method = "GET") =>
    (await rawRequest(site, `${method} ${target}`, [basic("alice", password), "Depth: 1"])).status;
  /** Hrefs that PROPFIND lists, below the one that was asked for. */
  const listed = async (password: string, target: string) => {
    const { text } = await rawRequest(site, `PROPFIND ${target}`, [basic("alice", password), "Depth: 1"]);
    return [...text.matchAll(/<D:href>([^<]*)<\/D:href>/g)]
      .map(([, href]) => href)
      .filter((href) => href !== target);
  };

  it("an item: the other item is not there", async () => {
    const { password } = await newAppPassword(site, "--read", "/laptop/files");
    expect(await listed(password, "/dav/")).toEqual(["/dav/alice/"]);
    expect(await listed(password, "/dav/alice/")).toEqual(["/dav/alice/laptop/"]);
    expect(await listed(password, "/dav/alice/laptop/")).toEqual(["/dav/alice/laptop/files/"]);
    expect(await status(password, `${site.tree}secret/marker.txt`)).toBe(200);
    const other = site.tree.replace("/files/", "/private/");
    expect(await status(site.appPassword, `${other}secret/marker.txt`)).toBe(200);
    for (const target of [other, `${other}secret/marker.txt`, "/dav/alice/laptop/private/"])
      for (const method of ["GET", "HEAD", "PROPFIND"])
        expect(await status(password, target, method), target).toBe(404);
    expect(await status(password, site.tree.replace("/laptop/", "/LAPTOP/"), "PROPFIND")).toBe(404);
  });

  it("a folder of the newest snapshot: no way leads out of it", async () => {
    const place = `/laptop/files/latest${site.source}/public`;
    const { password } = await newAppPassword(site, "--read", place);
    const inside = `${site.tree}public/`;
    expect(await status(password, `${inside}open.txt`)).toBe(200);
    expect(await status(password, `${inside}inner/fine`)).toBe(200);
    // Only what leads there is listed above it.
    expect(await listed(password, "/dav/alice/laptop/files/")).toEqual(["/dav/alice/laptop/files/latest/"]);
    expect(await listed(password, site.tree)).toEqual([inside]);
    const time = (await listed(site.appPassword, "/dav/alice/laptop/files/")).find((href) =>
      /\dZ\/$/.test(href ?? ""),
    );
    const inTime = `${time}${source().slice(1)}/`;
    expect(await status(site.appPassword, `${inTime}secret/marker.txt`)).toBe(200);
    // Other names of the same things, which lead there for who may see all of the account ...
    const versions = `/dav/alice/laptop/files/.history${source()}`;
    const stamp = time?.split("/").at(-2) as string;
    const [, date = "", hour, minute, second] = /^(.*)T(..)(..)(..)Z$/.exec(stamp) ?? [];
    const previous = `/dav/alice/laptop/files/@GMT-${date.replaceAll("-", ".")}-${hour}.${minute}.${second}${source()}`;
    const elsewhere = [
      `${site.tree}secret/marker.txt`,
      `${inTime}secret/marker.txt`,
      `${inTime}public/open.txt`,
      `${previous}/secret/marker.txt`,
      `${previous}/public/open.txt`,
      `${versions}/secret/marker.txt/${stamp}`,
      `${versions}/secret/${stamp}/marker.txt`,
      `${versions}/public/open.txt/${stamp}`,
      site.tree.replace("/files/", "/private/"),
    ];
    for (const target of elsewhere) expect(await status(site.appPassword, target), target).toBe(200);
    // ... and addresses that may lead nowhere for anybody.
    const outside = [
      ...elsewhere,
      `${site.tree}secret/`,
      `${inside}folder/marker.txt`,
      `${inside}../secret/marker.txt`,
      `${inside}%2e%2e/secret/marker.txt`,
      `${inside}..%2fsecret%2fmarker.txt`,
      `${inside}inner/../../secret/marker.txt`,
      `${inside}.history/`,
      "/dav/alice/laptop/.history/",
      "/dav/alice/.history/",
      "/dav/alice/laptop/files/.history/",
      `${site.tree.replace("/latest/", "/LATEST/")}public/open.txt`,
      `${site.tree.replace("/latest/", "/latest/../latest/")}secret/marker.txt`,
      site.tree.replace(/\/$/, "%2fsecret/marker.txt"),
    ];
    for (const target of outside) {
      for (const { status, text } of await looks(target, password)) {
        expect([400, 403, 404], `${target}: ${status}`).toContain(status);
        expect(text, target).not.toContain(secret);
      }
    }
    // Archives and histories, by both of their addresses.
    const programs = (target: string) => [
      `${target}?archive=tar`,
      `${target.replace("/dav/", "/v1/archive/")}?format=tar`,
      target.replace("/dav/", "/v1/history/").replace("/latest/", "/"),
    ];
    for (const target of [...programs(`${site.tree}secret/`), ...programs(site.tree), ...programs(inTime)]) {
      const { status, text } = await rawRequest(site, `GET ${target}`, [basic("alice", password)]);
      expect([400, 403, 404], target).toContain(status);
      expect(text, target).not.toContain(secret);
      const all = await rawRequest(site, `GET ${target}`, [basic("alice", site.appPassword)]);
      expect([200, 404], target).toContain(all.status);
    }
    for (const target of programs(inside).slice(0, 2)) {
      const { status, text } = await rawRequest(site, `GET ${target}`, [basic("alice", password)]);
      expect([status, text.includes("anybody may see this"), text.includes(secret)], target).toEqual([
        200,
        true,
        false,
      ]);
    }
    // Links that lead out show where they point to, never what is there; those that stay inside are files.
    for (const [name, shows] of [
      ["link", "../secret/marker.txt"],
      ["absolute", `${site.source}/secret/marker.txt`],
      ["folder", "../secret"],
      ["twice", "link"],
      ["inner/fine", "anybody may see this"],
    ] as const) {
      const { status, text } = await rawRequest(site, `GET ${inside}${name}`, [basic("alice", password)]);
      expect([status, text.split("\r\n\r\n")[1]], name).toEqual([200, shows]);
    }
    const everything = await Promise.all(["", "inner/"].map((name) => looks(`${inside}${name}`, password)));
    for (const { text } of everything.flat()) expect(text).not.toContain(secret);
  });

  it("links in a version of a folder lead nowhere above it", async () => {
    const [time = ""] = (await listed(site.appPassword, "/dav/alice/laptop/files/")).filter((href) =>
      /\dZ\/$/.test(href ?? ""),
    );
    const version = `/dav/alice/laptop/files/.history${source()}/public/${time?.split("/").at(-2)}/`;
    for (const [name, shows] of [
      ["open.txt", "anybody may see this"],
      ["inner/fine", "anybody may see this"],
      ["link", "../secret/marker.txt"],
      ["absolute", `${site.source}/secret/marker.txt`],
      ["through", "../secret/../public/open.txt"],
    ] as const) {
      const answer = await rawRequest(site, `GET ${version}${name}`, [basic("alice", site.appPassword)]);
      expect([answer.status, answer.text.split("\r\n\r\n")[1]], name).toEqual([200, shows]);
    }
  });

  it("a revoked one sees nothing more", async () => {
    const { password, id } = await newAppPassword(site, "--read", "/laptop");
    expect(await status(password, site.tree, "PROPFIND")).toBe(207);
    await done("account", "app-password", "revoke", "alice", id, "--data", site.data);
    expect(await status(password, site.tree, "PROPFIND")).toBe(401);
  });
});
