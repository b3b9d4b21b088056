// What a person or a machine can get wrong, answered by exit status, a code with --json, and one line on stderr that names
// what was wrong. Logins, fingerprints and newer formats are in refusals.test.ts.

import { execFileSync, spawnSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import * as fs from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { eventsOf } from "./jsonLines.ts";
import {
  done,
  enroll,
  enrollArguments,
  holdfast,
  openSite,
  Program,
  type Ran,
  type Site,
} from "./program.ts";

const program = join(import.meta.dirname, "../../bin/holdfast");
const nobody = 65_534;

let site: Site;
let state: string;
let source: string;
const undo: (() => void | Promise<void>)[] = [];

beforeAll(async () => {
  site = await openSite((step) => undo.push(step));
  state = await enroll(site, "laptop");
  source = join(site.folder, "source");
  fs.mkdirSync(join(source, "folder"), { recursive: true });
  fs.writeFileSync(join(source, "file"), "content");
});
afterAll(async () => {
  for (const step of undo.reverse()) await step();
});

/** Runs an agent's command with --json. */
function agent(...args: string[]): Promise<Ran> {
  return holdfast("agent", ...args, "--state", state, "--json");
}

/** It ended so, with one event of this code and one line on stderr that says the same. */
function expectFailure(ran: Ran, status: number, code: string, what: RegExp): void {
  const errors = eventsOf(ran.stdout).filter(({ event }) => event === "error");
  expect(errors).toHaveLength(1);
  expect(errors[0]).toMatchObject({ code });
  expect(errors[0]?.message).toMatch(what);
  // Every failure says what to do next.
  expect(errors[0]?.next).toMatch(/\w/);
  const lines = ran.stderr.split("\n").filter((line) => line !== "");
  expect(lines).toHaveLength(1);
  expect(lines[0]).toContain(`holdfast: ${errors[0]?.message}`);
  expect(ran.status).toBe(status);
}

describe("a command line that cannot be meant", () => {
  const wrong: [string, string[], RegExp][] = [
    ["an invalid regular expression", ["backup", "/etc", "--exclude-regex", "("], /"\(".*not valid/],
    ["a Perl expression that RE2 has not", ["backup", "/etc", "--exclude-regex", "(?=x)"], /not valid/],
    ["an invalid glob", ["backup", "/etc", "--include", "["], /"\[".*not valid/],
    ["nothing to back up", ["backup"], /no path to back up/],
    ["an unknown option", ["backup", "/etc", "--exlude", "x"], /--exlude/],
    ["an unknown command", ["bakcup", "/etc"], /bakcup/],
    ["a rate that is none", ["backup", "/etc", "--limit-upload", "fast"], /fast/],
    ["no target", ["restore", "latest"], /--target/],
    ["an unknown choice", ["restore", "latest", "--target", "/x", "--overwrite", "maybe"], /maybe/],
    ["no snapshot's name", ["restore", "yesterday", "--target", "/x"], /yesterday/],
    ["a broken escape in a path", ["ls", "latest:/a\\xZZ"], /not a path/],
  ];
  it.each(wrong)("%s: exit status 2", async (_, args, what) => {
    expectFailure(await agent(...args), 2, "usage", what);
    // Nothing was begun.
    expect(JSON.parse(await done("agent", "snapshots", "--state", state, "--json"))).toEqual([]);
  });
});

describe("a backup of what cannot be read", () => {
  it("refuses a path that is not there, and backs up none of the others", async () => {
    const missing = join(source, "missing");
    expectFailure(await agent("backup", missing), 1, "not-found", /missing/);
    expectFailure(await agent("backup", source, missing), 1, "not-found", /missing/);
    expect(JSON.parse(await done("agent", "snapshots", "--state", state, "--json"))).toEqual([]);
  });

  it("names a file and a folder that may not be read, with exit status 3, and keeps the rest", async () => {
    // Root may read everything, so as root the agent runs as somebody else.
    const root = process.getuid?.() === 0;
    const folder = join(site.folder, "nobody");
    const theirs = join(folder, "source");
    fs.mkdirSync(join(theirs, "closed"), { recursive: true });
    for (const name of ["open", "secret", "closed/inside"]) fs.writeFileSync(join(theirs, name), name);
    const nobodys = await enroll(site, "nobody");
    if (root) execFileSync("chown", ["-R", `${nobody}:${nobody}`, nobodys, folder]);
    fs.chmodSync(join(theirs, "secret"), 0);
    fs.chmodSync(join(theirs, "closed"), 0);
    fs.chmodSync(site.folder, 0o755);
    // A folder that is closed to its owner could not be removed.
    undo.push(() => fs.chmodSync(join(theirs, "closed"), 0o700));
    const another = ["setpriv", "--reuid", `${nobody}`, "--regid", `${nobody}`, "--clear-groups"];
    const as = (...args: string[]): Ran => {
      const [command = "", ...words] = [...(root ? another : []), program, "agent", ...args];
      const env = { PATH: process.env.PATH, HOME: folder, HOLDFAST_STATE: nobodys };
      return spawnSync(command, words, { env, encoding: "utf8" });
    };
    const ran = as("backup", theirs, "--json");
    expect(ran.stderr).toBe("");
    const warnings = eventsOf(ran.stdout).filter(({ event }) => event === "warning");
    expect(warnings.map(({ path }) => path).sort()).toEqual([join(theirs, "closed"), join(theirs, "secret")]);
    for (const { message } of warnings) expect(message).toMatch(/permission denied/i);
    expect(ran.status).toBe(3);
    const people = as("backup", theirs);
    expect(people.status).toBe(3);
    expect(people.stderr).toContain(`warning: ${join(theirs, "secret")}: `);
    expect(as("cat", `latest:${theirs}/open`).stdout).toBe("open");
  });

  it("warns of files that vanish meanwhile, and of no others; what it kept is right", async () => {
    const busy = join(site.folder, "busy");
    fs.mkdirSync(busy);
    const content = randomBytes(60_000);
    const names = Array.from({ length: 600 }, (_, index) => `f${String(index).padStart(4, "0")}`);
    const contentOf = (name: string): Buffer => Buffer.concat([Buffer.from(name), content]);
    for (const name of names) fs.writeFileSync(join(busy, name), contentOf(name));
    const running = new Program([
      ...["agent", "backup", busy, "--item", "busy", "--limit-upload", "12MiB"],
      ...["--state", state, "--json"],
    ]);
    await running.printed(/"progress"/);
    const gone = names.slice(300);
    for (const name of gone) fs.rmSync(join(busy, name));
    const ran = await running.ended();
    const warned = eventsOf(ran.stdout).filter(({ event }) => event === "warning");
    expect(ran.status).toBe(warned.length > 0 ? 3 : 0);
    const allowed = new Set(gone.map((name) => join(busy, name)));
    expect(warned.filter(({ path }) => !allowed.has(path as string))).toEqual([]);
    const target = join(site.folder, "busy restored");
    await done("agent", "restore", `latest:${busy}`, "--item", "busy", "--target", target, "--state", state);
    const kept = fs.readdirSync(target);
    expect(kept.slice(0, 300)).toEqual(names.slice(0, 300));
    const lost = new Set(warned.map(({ path }) => path));
    for (const name of kept) {
      expect(lost.has(join(busy, name)), name).toBe(false);
      expect(fs.readFileSync(join(target, name)).equals(contentOf(name)), name).toBe(true);
    }
  });
});

describe("a restore that cannot be", () => {
  it("has no snapshot yet, or none of that item or device", async () => {
    const fresh = await enroll(site, "fresh");
    const target = join(site.folder, "never made");
    const latest = (...args: string[]): Promise<Ran> =>
      holdfast("agent", "restore", "latest", "--target", target, "--json", "--state", fresh, ...args);
    expectFailure(await latest(), 1, "not-found", /device fresh has no complete snapshot/);
    expectFailure(await latest("--device", "laptop", "--item", "none"), 1, "not-found", /item none/);
    expectFailure(await latest("--device", "nowhere"), 1, "not-found", /nowhere/);
    expect(fs.existsSync(target)).toBe(false);
  });

  it("names its snapshot ambiguously, or by an id that there is not", async () => {
    // Until two ids begin alike: 17 of 16 digits must.
    const ids: string[] = [];
    let ambiguous: string | undefined;
    for (let version = 0; ambiguous === undefined; version++) {
      fs.writeFileSync(join(source, "file"), `version ${version}`);
      const [event] = eventsOf(await done("agent", "backup", source, "--state", state, "--json"));
      const id = event?.snapshot as string;
      ambiguous = ids.map((other) => other.slice(0, 1)).find((digit) => id.startsWith(digit));
      ids.push(id);
    }
    const target = join(site.folder, "by prefix");
    expectFailure(
      await agent("restore", `${ambiguous}:${source}`, "--target", target),
      2,
      "usage",
      /\d+ snapshots begin with/,
    );
    expectFailure(await agent("restore", "0".repeat(64), "--target", target), 1, "not-found", /no snapshot/);
    const id = ids[0] as string;
    await done("agent", "restore", `${id.slice(0, 20)}:${source}`, "--target", target, "--state", state);
    expect(fs.readFileSync(join(target, "file"), "utf8")).toBe("version 0");
  });

  it("is of a path that the snapshot has not", async () => {
    const target = join(site.folder, "nothing");
    expectFailure(
      await agent("restore", "latest:/no/such", "--target", target),
      1,
      "not-found",
      /\/no\/such/,
    );
    expectFailure(await agent("ls", "latest:/no/such"), 1, "not-found", /\/no\/such/);
    expectFailure(await agent("cat", `latest:${source}`), 2, "usage", /source is not a file/);
  });

  it("goes into a file", async () => {
    const file = join(site.folder, "a file");
    fs.writeFileSync(file, "mine");
    for (const target of [file, join(file, "below")]) {
      expectFailure(await agent("restore", `latest:${source}`, "--target", target), 1, "io-error", /a file/);
    }
    expect(fs.readFileSync(file, "utf8")).toBe("mine");
  });
});

describe("local state that is wrong", () => {
  it("is not there: the message says to enroll", async () => {
    const none = join(site.folder, "no state");
    const ran = await holdfast("agent", "backup", source, "--state", none, "--json");
    expectFailure(ran, 1, "data-dir-invalid", /enrolled/);
    expect((await holdfast("agent", "mount", join(site.folder, "drive"), "--state", none)).status).toBe(1);
    expect(fs.existsSync(none)).toBe(false);
  });

  it("is damaged in its cache: the backup is right, and only slower", async () => {
    const cache = join(state, "cache");
    const files = fs
      .readdirSync(cache, { recursive: true, withFileTypes: true })
      .filter((row) => row.isFile());
    expect(files.length).toBeGreaterThan(0);
    const damages: ((path: string) => void)[] = [
      (path) => fs.writeFileSync(path, randomBytes(fs.statSync(path).size)),
      (path) => fs.truncateSync(path, fs.statSync(path).size >> 1),
      (path) => fs.truncateSync(path, 0),
    ];
    for (const [index, damage] of damages.entries()) {
      for (const row of fs.readdirSync(cache, { recursive: true, withFileTypes: true }))
        if (row.isFile()) damage(join(row.parentPath, row.name));
      fs.writeFileSync(join(source, "file"), `after damage ${index}`);
      expect(
        eventsOf(await done("agent", "backup", source, "--state", state, "--json")).at(-1),
      ).toMatchObject({
        event: "done",
        warnings: 0,
      });
      expect(await done("agent", "cat", `latest:${source}/file`, "--state", state)).toBe(
        `after damage ${index}`,
      );
    }
    await done("agent", "check", "latest", "--read-data", "100%", "--state", state);
  });
});

describe("logins", () => {
  it("fail by their codes", async () => {
    const wrong = join(site.folder, "wrong");
    fs.writeFileSync(wrong, "not the password\n");
    const args = enrollArguments(site, "other");
    const put = (option: string, value: string): string[] =>
      args.map((word, index) => (args[index - 1] === option ? value : word));
    expectFailure(await holdfast(...put("--password-file", wrong), "--json"), 1, "auth-failed", /password/);
    const print = `SHA256:${"cd".repeat(32)}`;
    expectFailure(await holdfast(...put("--fingerprint", print), "--json"), 1, "fingerprint-mismatch", /./);
    expectFailure(await holdfast(...put("--device", "laptop"), "--json"), 1, "exists", /laptop/);
    await done("account", "disable", "alice", "--data", site.data);
    expectFailure(await agent("backup", source), 1, "account-disabled", /alice|account/);
    await done("account", "enable", "alice", "--data", site.data);
    await done("device", "revoke", "alice/laptop", "--data", site.data);
    expectFailure(await agent("backup", source), 1, "token-invalid", /./);
  });
});
