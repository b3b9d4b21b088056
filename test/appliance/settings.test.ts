// The agent's config.toml, where things are by default, and the state directory.

import { mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { readEnrollment, writeEnrollment } from "../../agent/state/enrollment.ts";
import { Seen } from "../../agent/state/seen.ts";
import { lockState } from "../../agent/state/stateDirectory.ts";
import { agentContext, readAgentSettings } from "../../appliance/agentSettings.ts";
import { agentCommands } from "../../appliance/cli/agentCommands.ts";
import type { CommandContext } from "../../appliance/cli/command.ts";
import { commandsFor } from "../../appliance/cli/commandTable.ts";
import { parseCommandLine } from "../../appliance/cli/parse.ts";
import { dataFolder, quickstartFolder, stateFolder } from "../../appliance/locations.ts";

const commandTable = await commandsFor([]);

let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "holdfast-settings-"));
});

afterEach(() => rmSync(folder, { recursive: true }));

function write(toml: string): string {
  const file = join(folder, "config.toml");
  writeFileSync(file, toml);
  return file;
}

function contextOf(...words: string[]): CommandContext {
  const parsed = parseCommandLine([...words, "--state", folder], commandTable);
  if (parsed.kind !== "command") throw new Error("not a command");
  return { args: parsed.args, environment: {} } as CommandContext;
}

describe("config.toml of the agent", () => {
  test("stands for options that were not given", async () => {
    write(
      '[backup]\nexclude = ["*.o", "*.tmp"]\nlimit-upload = "5MiB"\nrescan = true\nitem = "home"\n[mount]\n',
    );
    const { context } = await agentContext(contextOf("agent", "backup", "/a", "--item", "other"));
    expect(context.args.texts("exclude")).toEqual(["*.o", "*.tmp"]);
    expect(context.args.rates("limit-upload")).toBe("5MiB");
    expect(context.args.flag("rescan")).toBe(true);
    expect(context.args.text("item")).toBe("other");
    expect(
      (await agentContext(contextOf("agent", "ls", "latest"))).context.args.text("item"),
    ).toBeUndefined();
  });

  test.each([
    ["[backup]\nexlude = ['a']\n", /has no key exlude/],
    ["[backup]\nrescan = 'yes'\n", /not true or false/],
    ["[backup]\nitem = true\n", /not a text/],
    ["[backup]\nexclude = [1]\n", /not a list of texts/],
    ["[backup]\nlimit-upload = 'fast'\n", /is no rate/],
    ["[restore]\noverwrite = 'maybe'\n", /cannot be "maybe"/],
    ["[enroll]\npassword-file = 'x'\n", /no key password-file/],
    ["backup = 1\n", /not a table/],
    ["[backup\n", /config\.toml: /],
  ])("refuses %j", async (toml, message) => {
    await expect(readAgentSettings(write(toml), agentCommands)).rejects.toThrow(message);
  });
});

test("places: option, environment, XDG", () => {
  expect(stateFolder("x", { HOLDFAST_STATE: "/y" })).toBe(join(process.cwd(), "x"));
  expect(stateFolder(undefined, { HOLDFAST_STATE: "/y" })).toBe("/y");
  expect(dataFolder(undefined, { HOLDFAST_DATA: "/z" })).toBe("/z");
  const root = process.getuid?.() === 0;
  const environment = { XDG_CONFIG_HOME: "/c", XDG_DATA_HOME: "/d" };
  expect(stateFolder(undefined, environment)).toBe(root ? "/var/lib/holdfast/agent" : "/c/holdfast/agent");
  expect(dataFolder(undefined, environment)).toBe(root ? "/var/lib/holdfast/gateway" : "/d/holdfast/gateway");
  expect(quickstartFolder("q", environment)).toBe(join(process.cwd(), "q"));
});

describe("state directory", () => {
  const enrollment = {
    format: "holdfast-agent",
    version: 1,
    gateway: { url: "https://g:1", fingerprint: `SHA256:${"0".repeat(64)}` },
    account: { id: "0".repeat(32), name: "alice" },
    device: { id: "1".repeat(32), name: "one", group: 1 },
    vault: "2".repeat(32),
    kdfIterations: 210_000,
    privateKey: Buffer.alloc(32, 1).toString("base64"),
    token: "t",
    enrolled: "2026-11-22T05:45:12Z",
  } as const;

  test("an enrolment comes back, readable by its owner alone", () => {
    writeEnrollment(folder, enrollment);
    expect(readEnrollment(folder)).toEqual(enrollment);
    expect(statSync(join(folder, "agent.json")).mode & 0o777).toBe(0o600);
  });

  test("none, a damaged and a newer one are told apart", () => {
    expect(() => readEnrollment(folder)).toThrow("not enrolled");
    writeFileSync(join(folder, "agent.json"), "{}");
    expect(() => readEnrollment(folder)).toThrow("damaged");
    writeFileSync(join(folder, "agent.json"), JSON.stringify({ ...enrollment, version: 2 }));
    expect(() => readEnrollment(folder)).toThrow("version 2");
  });

  test("what was seen never goes back, whatever items are called", () => {
    const seen = new Seen(folder);
    seen.noteSequence("files", 5);
    seen.noteSequence("files", 3);
    seen.noteSequence("__proto__", 2);
    seen.noteGeneration("ab", 7);
    const again = new Seen(folder);
    expect([again.sequence("files"), again.sequence("__proto__"), again.sequence("other")]).toEqual([
      5, 2, 0,
    ]);
    expect(again.generation("ab")).toBe(7);
    writeFileSync(join(folder, "seen.json"), "[]");
    expect(() => new Seen(folder)).toThrow("damaged");
  });

  test("one run at a time", () => {
    const state = join(folder, "new", "state");
    mkdirSync(join(folder, "new"));
    const lock = lockState(state);
    expect(() => lockState(state)).toThrow(`another run is using ${state} (process ${process.pid})`);
    lock.release();
    lockState(state).release();
  });
});
