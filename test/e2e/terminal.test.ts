// What a person sees and types on a terminal: questions, their answers, Ctrl-C, progress.

import { existsSync, mkdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { expect, test } from "vitest";
import { canMount } from "../fs/fuse/mounting.ts";
import { done, enroll, holdfast, makeSource, mountsBelow, openSite, scratchFolder } from "./program.ts";
import { holdfastTerminal, Terminal } from "./terminal.ts";

const secret = "sehr geheim 42";
const fastKdf = ["--kdf-iterations", "210000"];

async function newGateway(folder: string): Promise<string> {
  const data = join(folder, "data");
  await done("gateway", "init", "--data", data, "--listen", "127.0.0.1:0", "--quiet");
  return data;
}

test("account add asks for the password twice, unseen, and shows the recovery key once", async () => {
  const folder = scratchFolder();
  const data = await newGateway(folder);
  const add = ["account", "add", "ann", "--data", data, ...fastKdf];

  const differs = holdfastTerminal(add);
  await differs.answer(/Password: /, "one");
  await differs.answer(/Again: /, "two");
  expect(await differs.ended()).toBe(2);
  expect(differs.text).toContain("the two passwords differ. Run again.");

  const keyFile = join(folder, "key");
  const stopped = holdfastTerminal([...add, "--recovery-key-file", keyFile]);
  await stopped.shows(/Password: /);
  stopped.type("half\u0003");
  expect(await stopped.ended()).toBe(1);
  expect(stopped.text).toContain("stopped at the question. Run again.");
  expect(stopped.text).not.toContain("half");
  expect(existsSync(keyFile)).toBe(false);
  expect(await done("account", "list", "--data", data)).toContain("No accounts yet");

  const added = holdfastTerminal(add);
  // A slip that is taken back, of one character that JavaScript counts as two.
  await added.answer(/Password: /, `${secret}\u{1f600}\u007f`);
  await added.answer(/Again: /, secret);
  expect(await added.ended()).toBe(0);
  expect(added.text).not.toContain(secret);
  const [key = "", ...more] = added.text.match(/HFA-[0-9A-Z-]{60,}/g) ?? [];
  expect(more).toEqual([]);

  // The account is there with the password that was typed, and the key that was shown opens it.
  const taken = holdfastTerminal(add);
  expect(await taken.ended()).toBe(1);
  expect(taken.text).toContain("there is an account ann already. Choose another name");
  expect(taken.text).not.toContain("Password");
  const recover = holdfastTerminal(["account", "recover", "ann", "--data", data, ...fastKdf]);
  await recover.answer(/Recovery key: /, key);
  await recover.answer(/Password: /, "new one");
  await recover.answer(/Again: /, "new one");
  expect(await recover.ended()).toBe(0);

  // The old password is proven before a new one is asked for.
  const change = ["account", "password", "ann", "--data", data, ...fastKdf];
  const wrong = holdfastTerminal(change);
  await wrong.answer(/Password: /, secret);
  expect(await wrong.ended()).toBe(1);
  expect(wrong.text).not.toContain("New password");
  const changed = holdfastTerminal(change);
  await changed.answer(/Password: /, "new one");
  await changed.answer(/New password: /, "newest");
  await changed.answer(/Again: /, "newest");
  expect(await changed.ended()).toBe(0);
});

test("enroll asks about a fingerprint that nobody vouches for", async () => {
  const site = await openSite();
  const state = join(site.folder, "state");
  const args = ["agent", "enroll", site.url, "--account", "alice", "--device", "pc", "--state", state];

  for (const [answer, said] of [
    ["n\r", "nobody vouches for"],
    ["\r", "nobody vouches for"],
    ["\u0003", "stopped by SIGINT"],
  ] as const) {
    const refused = holdfastTerminal(args);
    await refused.shows(/Is it the same\? \[y\/N\] /);
    expect(refused.text).toContain(site.fingerprint);
    refused.type(answer);
    await refused.shows(new RegExp(`\\r\\nholdfast: ${said}`));
    expect(await refused.ended()).toBe(1);
    expect(existsSync(state)).toBe(false);
  }

  const enrolled = holdfastTerminal(args);
  await enrolled.answer(/\[y\/N\] /, "y");
  await enrolled.answer(/Password: /, readFileSync(site.password, "utf8").trim());
  expect(await enrolled.ended()).toBe(0);
  expect(enrolled.text).toContain("enrolled as device pc of account alice");
  expect(enrolled.text).not.toContain("correct horse");
  expect(statSync(state).mode & 0o777).toBe(0o700);

  // Without a terminal nothing is asked: it says which flag to add.
  const blind = await holdfast(...args, "--replace");
  expect(blind.status).toBe(1);
  expect(blind.stderr).toContain(`add --fingerprint ${site.fingerprint}`);
});

const wipe = "\r\u001b[K";

/** What each progress line showed, and what the terminal shows of the program in the end. */
function progressOf(text: string): { lines: string[]; left: string } {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: the terminal's own language
  const drawn = /\r([^\r\n]+)\u001b\[K/g;
  const lines = [...text.matchAll(drawn)].map(([, line = ""]) => line);
  return { lines, left: text.replaceAll(drawn, "").replaceAll(wipe, "") };
}

test("backup and restore show a progress line that fits and leaves nothing behind", async () => {
  const site = await openSite();
  const state = await enroll(site, "pc");
  const source = makeSource(site.folder);
  const target = join(site.folder, "target");
  const backup = ["agent", "backup", source, "--state", state];
  const columns = 50;

  for (const [args, label, result] of [
    [backup, "backing up", /^Snapshot [0-9a-f]{16} of files: [^\r\n]*\r\n$/],
    [[...backup, "--rescan"], "%", /^Snapshot [0-9a-f]{16} of files: [^\r\n]*\r\n$/],
    [
      ["agent", "restore", "latest", "--target", target, "--state", state],
      "restoring",
      /^Restored [^\r\n]*\r\n$/,
    ],
  ] as const) {
    const terminal = holdfastTerminal(args, { columns });
    expect(await terminal.ended()).toBe(0);
    const { lines, left } = progressOf(terminal.text);
    expect(lines.some((line) => line.includes(label))).toBe(true);
    for (const line of lines) expect(line.length).toBeLessThan(columns);
    expect(left).toMatch(result);
    expect(terminal.text).toContain(wipe);
  }

  const quiet = holdfastTerminal([...backup, "--quiet"]);
  expect(await quiet.ended()).toBe(0);
  expect(quiet.text).toBe("");

  const json = holdfastTerminal([...backup, "--json"]);
  expect(await json.ended()).toBe(0);
  const events = json.text
    .trim()
    .split("\r\n")
    .map((line) => JSON.parse(line) as Record<string, unknown>);
  expect(events[0]).toMatchObject({ event: "progress", total_files: 5 });
  expect(events.at(-1)).toMatchObject({ event: "done", item: "files", warnings: 0 });
});

test.skipIf(!canMount())(
  "Ctrl-C unmounts, also below npm, which passes on what the terminal has said already",
  async () => {
    const site = await openSite();
    const state = await enroll(site, "pc");
    await done("agent", "backup", makeSource(site.folder), "--state", state);
    const drive = join(site.folder, "drive");
    mkdirSync(drive);
    const root = join(import.meta.dirname, "..", "..");
    const run = ["npm", "--prefix", root, "run", "-s", "holdfast", "--"];
    const terminal = new Terminal([...run, "agent", "mount", drive, "--foreground", "--state", state]);
    await terminal.shows(/Ctrl-C unmounts it\./);
    expect(mountsBelow(site.folder)).toEqual([drive]);
    terminal.type("\u0003");
    await terminal.ended();
    // npm may be gone before what it started.
    while (mountsBelow(site.folder).length > 0) await pause(20);
    expect(existsSync(drive)).toBe(true);
  },
);
