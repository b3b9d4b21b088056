// Hooks around a backup whose body is the test's: their order, what fails the job, and that everything is undone, now or at the next start.

import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { beforeEach, describe, expect, onTestFinished, test } from "vitest";
import { HookedRun, type HookPort } from "../../../agent/hooks/hookedRun.ts";
import type { Hooks } from "../../../agent/hooks/hooks.ts";
import { resolveTopPaths } from "../../../agent/source/topPaths.ts";
import { ErrorCode, HoldfastError } from "../../../vault/errors.ts";

let folder: string;
let state: string;
let source: string;
let said: { warnings: string[]; lines: string[] };

beforeEach(() => {
  folder = realpathSync(mkdtempSync(join(tmpdir(), "holdfast-hooks-")));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  state = join(folder, "state");
  source = join(folder, "source");
  mkdirSync(state);
  mkdirSync(source);
  said = { warnings: [], lines: [] };
});

function port(signal: AbortSignal = new AbortController().signal): HookPort {
  return {
    state,
    device: "laptop",
    environment: { PATH: process.env.PATH, HOLDFAST_PASSWORD: "secret" },
    signal,
    nowMs: () => 1000,
    warn: (what) => said.warnings.push(what),
    line: (stage, text) => said.lines.push(`${stage}: ${text}`),
    live: () => undefined,
  };
}

/** A command that writes down its stage, one of its variables and its argument. */
function noting(variable: string, then = ":"): string {
  return `note() { echo "$HOLDFAST_STAGE \${${variable}-} \${1-}" >>${join(folder, "notes")}; }; note "\${1-}"; ${then}`;
}

function notes(): string[] {
  const file = join(folder, "notes");
  return existsSync(file)
    ? readFileSync(file, "utf8")
        .trim()
        .split("\n")
        .map((line) => line.trim())
    : [];
}

type Texts = {
  before?: string;
  afterSnapshot?: string;
  after?: string;
  create?: string;
  remove?: string;
  timeoutMs?: number;
};

function hooksOf({
  before,
  afterSnapshot,
  after,
  create,
  remove = "true",
  timeoutMs = 60_000,
}: Texts): Hooks {
  const command = (text: string | undefined) => (text === undefined ? undefined : { text, timeoutMs });
  return {
    before: command(before),
    afterSnapshot: command(afterSnapshot),
    after: command(after),
    // What is added as the last word is the script's $1.
    snapshot:
      create === undefined
        ? undefined
        : { scripts: { create: `f() { ${create}; }; f`, remove: `f() { ${remove}; }; f` }, timeoutMs },
  };
}

async function around(
  texts: Texts,
  body: () => unknown = () => undefined,
  signal?: AbortSignal,
): Promise<unknown> {
  await HookedRun.sweep(port());
  return await new HookedRun(hooksOf(texts), port(signal), "files", [source]).around(
    () => resolveTopPaths([source]),
    async () => await body(),
    () => ({ HOLDFAST_RESULT: "done", HOLDFAST_SNAPSHOT: "0123" }),
  );
}

async function failureOf(work: Promise<unknown>): Promise<HoldfastError> {
  const error = await work.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  if (error instanceof HoldfastError) return error;
  throw new Error(`it did not fail as expected: ${error}`);
}

/** What is left of a run in the state directory. */
function leftOver(): string[] {
  const snapshots = join(state, "snapshots");
  return [
    ...readdirSync(state).filter((name) => name !== "snapshots"),
    ...(existsSync(snapshots) ? readdirSync(snapshots) : []),
  ];
}

/** The file system of the test's own folder, as a snapshot of itself. */
const itself = 'printf "SNAPSHOT=%s\\n" "$1"';

test("all in order, each with its variables and none with a password", async () => {
  const texts = {
    before: noting(
      "HOLDFAST_PATHS",
      'echo "hello $HOLDFAST_ITEM $HOLDFAST_DEVICE $(printenv HOLDFAST_PASSWORD || echo none)"',
    ),
    create: noting("HOLDFAST_SOURCE", itself),
    afterSnapshot: noting("HOLDFAST_RESULT"),
    remove: noting("HOLDFAST_SOURCE"),
    after: noting("HOLDFAST_SNAPSHOT"),
  };
  await around(texts, () => {
    writeFileSync(join(folder, "notes"), "body\n", { flag: "a" });
    expect(readdirSync(join(state, "snapshots"))).toEqual([expect.stringMatching(/^holdfast-[0-9a-f]{16}$/)]);
  });
  const [before, create, ...rest] = notes();
  const on = create?.split(" ")[1] as string;
  expect(before).toBe(`before ${source}`);
  expect(source.startsWith(on), create).toBe(true);
  expect(create).toBe(`create ${on} ${on}`);
  expect(rest).toEqual(["after-snapshot", "body", `remove ${on} ${on}`, "after 0123"]);
  expect(said).toEqual({ warnings: [], lines: ["before: hello files laptop none"] });
  expect(leftOver()).toEqual([]);
});

test("a failing before fails the job, and what must follow follows", async () => {
  const texts = {
    before: "echo broken >&2; exit 3",
    afterSnapshot: noting("HOLDFAST_RESULT"),
    after: noting("HOLDFAST_ERROR_CODE"),
  };
  const error = await failureOf(around(texts, () => expect.fail("it went on")));
  expect(error).toMatchObject({
    code: ErrorCode.hookFailed,
    message: "the command before the backup ended with status 3: broken",
  });
  expect(notes()).toEqual(["after-snapshot failed", "after hook-failed"]);
  expect(leftOver()).toEqual([]);
});

test("before makes what is backed up; where it does not, that is what is said", async () => {
  rmSync(source, { recursive: true });
  await around({ before: `mkdir ${source}` });
  rmSync(source, { recursive: true });
  const error = await failureOf(around({ before: "true", after: noting("HOLDFAST_RESULT") }));
  expect(error.code).toBe(ErrorCode.notFound);
  expect(notes()).toEqual(["after failed"]);
});

test("failures afterwards are warnings, and change no other failure", async () => {
  const texts = {
    create: itself,
    afterSnapshot: "exit 4",
    remove: "echo stuck; exit 5",
    after: "sleep 60",
    timeoutMs: 500,
  };
  await around(texts);
  expect(said.warnings).toEqual([
    expect.stringContaining("after the snapshots ended with status 4"),
    expect.stringMatching(
      /^the snapshot holdfast-.* is not removed: its remove script ended with status 5: stuck$/,
    ),
    expect.stringContaining("after the backup was not done after 0.5 s"),
  ]);
  expect(leftOver()).toEqual(["hooks.json", expect.stringMatching(/^holdfast-/)]);
  // The next start tries again: with the script that it was made with, which goes on failing, and then does not.
  said.warnings.length = 0;
  const own = new HoldfastError(ErrorCode.gatewayUnreachable, "away");
  expect(await failureOf(around({ after: "exit 6" }, () => Promise.reject(own)))).toBe(own);
  expect(said.warnings).toEqual([
    expect.stringContaining("is not removed"),
    expect.stringContaining("ended with status 6"),
  ]);
  const journal = join(state, "hooks.json");
  writeFileSync(journal, readFileSync(journal, "utf8").replace("exit 5", "true"));
  await around({});
  expect(leftOver()).toEqual([]);
});

test("stopped while before runs: the rest follows, and is not stopped", async () => {
  const stopping = new AbortController();
  const texts = {
    before: "echo ready; sleep 600",
    afterSnapshot: noting("HOLDFAST_RESULT"),
    after: noting("HOLDFAST_RESULT", "sleep 0.2; echo end"),
  };
  const run = failureOf(around(texts, () => expect.fail("it went on"), stopping.signal));
  while (said.lines.length === 0) await new Promise((resolve) => setTimeout(resolve, 10));
  stopping.abort(new HoldfastError(ErrorCode.cancelled, "stopped by SIGINT"));
  expect(await run).toMatchObject({ code: ErrorCode.cancelled, message: "stopped by SIGINT" });
  expect(notes()).toEqual(["after-snapshot cancelled", "after cancelled"]);
  expect(said.lines).toEqual(["before: ready", "after: end"]);
});

describe("a create script that", () => {
  test.each([
    ["fails", "echo 'no room' >&2; exit 1", "ended with status 1: no room"],
    ["prints nothing", "true", "printed no line SNAPSHOT=<path>"],
    ["prints rubbish", "head -c 5000 /dev/urandom", "printed "],
    ["prints something else", "echo /tmp", "printed no line"],
    ["prints two", 'echo SNAPSHOT=/; echo "SNAPSHOT=/tmp"', "several lines"],
    ["prints an empty path", "echo SNAPSHOT=", 'printed "", no absolute path'],
    ["prints a relative path", "echo SNAPSHOT=tmp", "no absolute path"],
    ["climbs", 'echo "SNAPSHOT=$1/../.."', "no absolute path"],
    ["prints a very long path", "printf 'SNAPSHOT=/%5000d\\n' 1", "no absolute path"],
    ["prints what is not there", "echo SNAPSHOT=/nonexistent", "ENOENT"],
    ["prints a file", "echo SNAPSHOT=/etc/passwd", "ENOTDIR"],
    ["prints another folder", "echo SNAPSHOT=/etc", "is no snapshot of"],
    ["prints a window into the kernel", "echo SNAPSHOT=/proc", "is no snapshot of"],
    [
      "prints a copy",
      'mkdir "$HOLDFAST_SOURCE_FOLDER/copy"; echo "SNAPSHOT=$HOLDFAST_SOURCE_FOLDER/copy"',
      "is no snapshot of",
    ],
    ["hangs", "sleep 600", "was not done after 1 s"],
    ["prints for ever", "yes", "printed more than 65536 bytes"],
    ["kills itself", "kill -9 $$", "ended by SIGKILL"],
  ])("%s fails the job and leaves nothing", async (_, create, why) => {
    const tidy = 'rm -rf "$HOLDFAST_SOURCE_FOLDER"/*';
    const texts = {
      create,
      remove: noting("HOLDFAST_NOTHING", tidy),
      after: noting("HOLDFAST_ERROR_CODE"),
      timeoutMs: 1000,
    };
    const error = await failureOf(around(texts, () => expect.fail("it went on")));
    expect(error.code).toBe(ErrorCode.hookFailed);
    expect(error.message).toContain(why);
    expect(notes().map((line) => line.split(" ")[0])).toEqual(["remove", "after"]);
    expect(notes().at(-1)).toBe("after hook-failed");
    expect(leftOver()).toEqual([]);
    expect(said.warnings).toEqual([]);
  });
});

describe("killed", () => {
  /** What a run that was killed in its body leaves: the state as it was then. */
  async function killedInBody(texts: Texts): Promise<void> {
    const kept = join(folder, "kept");
    await around(texts, () => copyFileSync(join(state, "hooks.json"), kept));
    renameSync(kept, join(state, "hooks.json"));
    rmSync(join(folder, "notes"), { force: true });
  }

  test("in its body: the next start removes the snapshot and runs after", async () => {
    await killedInBody({
      create: itself,
      remove: noting("HOLDFAST_RESULT"),
      afterSnapshot: noting("HOLDFAST_RESULT"),
      after: noting("HOLDFAST_RESULT"),
    });
    await HookedRun.sweep(port());
    expect(notes()).toEqual([expect.stringMatching(/^remove {2}\//), "after interrupted"]);
    expect(leftOver()).toEqual([]);
    await HookedRun.sweep(port());
    expect(notes()).toHaveLength(2);
  });

  test("a journal that others could have written is not obeyed", async () => {
    await killedInBody({ after: noting("HOLDFAST_RESULT") });
    for (const path of [join(state, "hooks.json"), state]) {
      chmodSync(path, 0o777);
      expect((await failureOf(HookedRun.sweep(port()))).code).toBe(ErrorCode.forbidden);
      chmodSync(path, 0o700);
    }
    expect(notes()).toEqual([]);
    await HookedRun.sweep(port());
    expect(notes()).toEqual(["after interrupted"]);
  });

  test("a journal that is damaged is said once", async () => {
    writeFileSync(join(state, "hooks.json"), "{");
    await HookedRun.sweep(port());
    await HookedRun.sweep(port());
    expect(said.warnings).toEqual([expect.stringContaining("hooks.json is damaged")]);
    expect(leftOver()).toEqual([]);
  });
});
