// Commands around a backup: on the command line, from the machine's own file, and named (never brought) by a gateway's definition.

import { chmodSync, existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { eventsOf } from "./jsonLines.ts";
import {
  done,
  enroll,
  holdfast,
  lastEvent,
  makeSource,
  openSite,
  Program,
  type Ran,
  type Site,
} from "./program.ts";

const undos: (() => void | Promise<void>)[] = [];
let site: Site;
let state: string;
let source: string;
let notes: string;

beforeAll(async () => {
  site = await openSite((undo) => undos.push(undo));
  state = await enroll(site, "laptop");
  source = makeSource(site.folder);
  notes = join(site.folder, "notes");
  return async () => {
    for (const undo of undos.reverse()) await undo();
  };
});

/** A command that writes down its stage and some variables. */
const noting = (...variables: string[]): string =>
  `echo "$HOLDFAST_STAGE ${variables.map((name) => `$HOLDFAST_${name}`).join(" ")}" >>${notes}`;

function noted(): string[] {
  const lines = existsSync(notes) ? readFileSync(notes, "utf8").trim().split("\n") : [];
  rmSync(notes, { force: true });
  return lines;
}

const backup = (...args: string[]): Promise<Ran> =>
  holdfast("agent", "backup", "--state", state, "--json", ...args);

/** A backup that is in its command before, with one after. */
async function inBefore(after: string): Promise<Program> {
  const hooks = ["--before", "echo ready; sleep 600", "--after", after];
  const program = new Program(["agent", "backup", "--state", state, source, "--json", ...hooks]);
  await program.printed(/"text":"ready"/);
  return program;
}

describe("on the command line", () => {
  test("before makes what is backed up, after is told of the snapshot", async () => {
    const dump = join(site.folder, "dump");
    const before = `${noting("ITEM", "DEVICE", "PATHS")}; date >${dump}; echo dumped`;
    const ran = await backup(
      dump,
      "--item",
      "dump",
      "--before",
      before,
      "--after",
      noting("RESULT", "SNAPSHOT", "FILES", "INCOMPLETE"),
    );
    expect(ran).toMatchObject({ status: 0 });
    const { snapshot } = lastEvent(ran.stdout);
    expect(eventsOf(ran.stdout)).toContainEqual({ event: "hook-output", stage: "before", text: "dumped" });
    expect(noted()).toEqual([`before dump laptop ${dump}`, `after done ${snapshot} 1 no`]);
    expect(await done("agent", "cat", `${snapshot}:${dump}`, "--state", state)).toBe(
      readFileSync(dump, "utf8"),
    );
  });

  test("a failing before: nothing is backed up, after is run", async () => {
    const ran = await backup(
      source,
      "--before",
      "echo 'no database' >&2; exit 9",
      "--after",
      noting("RESULT", "ERROR_CODE"),
    );
    expect(ran.status).toBe(1);
    expect(lastEvent(ran.stdout)).toMatchObject({
      event: "error",
      code: "hook-failed",
      message: expect.stringContaining("status 9: no database"),
    });
    expect(noted()).toEqual(["after failed hook-failed"]);
    expect(
      JSON.parse(await done("agent", "snapshots", "--state", state, "--item", "files", "--json")),
    ).toEqual([]);
  });

  test("a failing after: a warning, the snapshot is there, and `done` comes last", async () => {
    const ran = await backup(source, "--after", "exit 1", "--limit-size", "1", "--cycle");
    expect(ran.status).toBe(3);
    expect(lastEvent(ran.stdout)).toMatchObject({ event: "done", incomplete: false, warnings: 1 });
  });

  test("SIGTERM while before runs: cancelled, and after is run", async () => {
    const program = await inBefore(noting("RESULT"));
    expect(await program.stop("SIGTERM")).toMatchObject({
      status: 1,
      stdout: expect.stringContaining('"code":"cancelled"'),
    });
    expect(noted()).toEqual(["after cancelled"]);
    expect(readdirSync(state)).not.toContain("hooks.json");
  });

  test("kill -9 while before runs: the next backup of any item runs after, first", async () => {
    const program = await inBefore(noting("RESULT", "ITEM"));
    await program.stop("SIGKILL");
    expect((await backup(source, "--item", "other", "--before", noting("ITEM"))).status).toBe(0);
    expect(noted()).toEqual(["after interrupted files", "before other"]);
    expect(readdirSync(state)).not.toContain("hooks.json");
  });
});

test("the machine's own file says what a name stands for", async () => {
  const config = join(state, "config.toml");
  const text = [
    '[backup]\nafter = """',
    noting("RESULT"),
    '"""\n[hooks.app]\nbefore = """',
    noting("ITEM"),
    '"""\n',
  ];
  writeFileSync(config, text.join(""), { mode: 0o600 });
  expect(await holdfast("config", "check", "--state", state)).toMatchObject({ status: 0 });
  expect((await backup(source, "--hook", "app")).status).toBe(0);
  expect(noted()).toEqual(["before files", "after done"]);
  chmodSync(config, 0o660);
  expect(lastEvent((await backup(source, "--hook", "app")).stdout)).toMatchObject({
    code: "forbidden",
    detail: { path: config },
  });
  expect(noted()).toEqual([]);
  rmSync(config);
});

test("a definition names what the machine has, and brings nothing", async () => {
  const data = ["--data", site.data];
  const refused = async (...args: string[]) =>
    await holdfast("item", "add", "alice/laptop/app", source, ...args, ...data);
  expect(await refused("--hook", "exit 1")).toMatchObject({
    status: 2,
    stderr: expect.stringContaining("no name of a hook"),
  });
  expect(await refused("--snapshot", "fsfreeze")).toMatchObject({ status: 2 });
  const schedule = ["--schedule", "daily at 10:01, 10:31", "--jitter", "0s", ...data];
  expect(
    await done("item", "add", "alice/laptop/app", source, "--hook", "app", "--snapshot", "none", ...schedule),
  ).toContain("snapshot none; hook app");
  await done("item", "add", "alice/laptop/gone", source, "--hook", "gone", ...schedule);
  writeFileSync(
    join(state, "config.toml"),
    `[hooks.app]\nbefore = '${noting("ITEM").replaceAll("'", '"')}; echo begun'\nafter = "exit 1"\n`,
    { mode: 0o600 },
  );
  const run = new Program(["agent", "run", "--state", state, "--clock", "2026-11-26T10:00:58Z", "--json"]);
  onTestFinished(async () => void (await run.stop("SIGKILL")));
  await run.printed(/"event":"backup-done".*"item":"app".*"warnings":1/);
  await run.printed(/"event":"hook-output".*"text":"begun".*"item":"app"/);
  await run.printed(/"event":"backup-failed".*"item":"gone".*"code":"not-found".*no table \[hooks.gone\]/);
  await run.stop();
  expect(noted()).toEqual(["before app"]);
  expect(await done("item", "edit", "alice/laptop/app", "--no-hook", "--no-snapshot", ...data)).not.toContain(
    "hook",
  );
});
