// Hooks around a backup whose body is the test's: their order, what fails the job, and that everything is undone, now or at the next start.

import {
  chmodSync,
  copyFileSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { beforeEach, describe, expect, test } from "vitest";
import { HookedRun } from "../../../agent/hooks/hookedRun.ts";
import { ErrorCode, HoldfastError } from "../../../vault/errors.ts";
import { failureOf, HookFixture, type Texts } from "./hookFixture.ts";

let hooked: HookFixture;

beforeEach(() => {
  hooked = new HookFixture();
});

/** The file system of the test's own folder, as a snapshot of itself. */
const itself = 'printf "SNAPSHOT=%s\\n" "$1"';

test("all in order, each with its variables and none with a password", async () => {
  const texts = {
    before: hooked.noting(
      "HOLDFAST_PATHS",
      'echo "hello $HOLDFAST_ITEM $HOLDFAST_DEVICE $(printenv HOLDFAST_PASSWORD || echo none)"',
    ),
    create: hooked.noting("HOLDFAST_SOURCE", itself),
    afterSnapshot: hooked.noting("HOLDFAST_RESULT"),
    remove: hooked.noting("HOLDFAST_SOURCE"),
    after: hooked.noting("HOLDFAST_SNAPSHOT"),
  };
  await hooked.around(texts, () => {
    writeFileSync(join(hooked.folder, "notes"), "body\n", { flag: "a" });
    expect(readdirSync(join(hooked.state, "snapshots"))).toEqual([
      expect.stringMatching(/^holdfast-[0-9a-f]{16}$/),
    ]);
  });
  const [before, create, ...rest] = hooked.notes();
  const on = create?.split(" ")[1] as string;
  expect(before).toBe(`before ${hooked.source}`);
  expect(hooked.source.startsWith(on), create).toBe(true);
  expect(create).toBe(`create ${on} ${on}`);
  expect(rest).toEqual(["after-snapshot", "body", `remove ${on} ${on}`, "after 0123"]);
  expect(hooked.said).toEqual({ warnings: [], lines: ["before: hello files laptop none"] });
  expect(hooked.leftOver()).toEqual([]);
});

test("a failing before fails the job, and what must follow follows", async () => {
  const texts = {
    before: "echo broken >&2; exit 3",
    afterSnapshot: hooked.noting("HOLDFAST_RESULT"),
    after: hooked.noting("HOLDFAST_ERROR_CODE"),
  };
  const error = await failureOf(hooked.around(texts, () => expect.fail("it went on")));
  expect(error).toMatchObject({
    code: ErrorCode.hookFailed,
    message: "the command before the backup ended with status 3: broken",
  });
  expect(hooked.notes()).toEqual(["after-snapshot failed", "after hook-failed"]);
  expect(hooked.leftOver()).toEqual([]);
});

test("before makes what is backed up; where it does not, that is what is said", async () => {
  rmSync(hooked.source, { recursive: true });
  await hooked.around({ before: `mkdir ${hooked.source}` });
  rmSync(hooked.source, { recursive: true });
  const error = await failureOf(hooked.around({ before: "true", after: hooked.noting("HOLDFAST_RESULT") }));
  expect(error.code).toBe(ErrorCode.notFound);
  expect(hooked.notes()).toEqual(["after failed"]);
});

test("failures afterwards are warnings, and change no other failure", async () => {
  const texts = {
    create: itself,
    afterSnapshot: "exit 4",
    remove: "echo stuck; exit 5",
    after: "sleep 60",
    timeoutMs: 500,
  };
  await hooked.around(texts);
  expect(hooked.said.warnings).toEqual([
    expect.stringContaining("after the snapshots ended with status 4"),
    expect.stringMatching(
      /^the snapshot holdfast-.* is not removed: its remove script ended with status 5: stuck$/,
    ),
    expect.stringContaining("after the backup was not done after 0.5 s"),
  ]);
  expect(hooked.leftOver()).toEqual(["hooks.json", expect.stringMatching(/^holdfast-/)]);
  // The next start tries again: with the script that it was made with, which goes on failing, and then does not.
  hooked.said.warnings.length = 0;
  const own = new HoldfastError(ErrorCode.gatewayUnreachable, "away");
  expect(await failureOf(hooked.around({ after: "exit 6" }, () => Promise.reject(own)))).toBe(own);
  expect(hooked.said.warnings).toEqual([
    expect.stringContaining("is not removed"),
    expect.stringContaining("ended with status 6"),
  ]);
  const journal = join(hooked.state, "hooks.json");
  writeFileSync(journal, readFileSync(journal, "utf8").replace("exit 5", "true"));
  await hooked.around({});
  expect(hooked.leftOver()).toEqual([]);
});

test("stopped while before runs: the rest follows, and is not stopped", async () => {
  const stopping = new AbortController();
  const texts = {
    before: "echo ready; sleep 600",
    afterSnapshot: hooked.noting("HOLDFAST_RESULT"),
    after: hooked.noting("HOLDFAST_RESULT", "sleep 0.2; echo end"),
  };
  const run = failureOf(hooked.around(texts, () => expect.fail("it went on"), stopping.signal));
  while (hooked.said.lines.length === 0) await new Promise((resolve) => setTimeout(resolve, 10));
  stopping.abort(new HoldfastError(ErrorCode.cancelled, "stopped by SIGINT"));
  expect(await run).toMatchObject({ code: ErrorCode.cancelled, message: "stopped by SIGINT" });
  expect(hooked.notes()).toEqual(["after-snapshot cancelled", "after cancelled"]);
  expect(hooked.said.lines).toEqual(["before: ready", "after: end"]);
});

describe("killed", () => {
  /** What a run that was killed in its body leaves: the state as it was then. */
  async function killedInBody(texts: Texts): Promise<void> {
    const kept = join(hooked.folder, "kept");
    await hooked.around(texts, () => copyFileSync(join(hooked.state, "hooks.json"), kept));
    renameSync(kept, join(hooked.state, "hooks.json"));
    rmSync(join(hooked.folder, "notes"), { force: true });
  }

  test("in its body: the next start removes the snapshot and runs after", async () => {
    await killedInBody({
      create: itself,
      remove: hooked.noting("HOLDFAST_RESULT"),
      afterSnapshot: hooked.noting("HOLDFAST_RESULT"),
      after: hooked.noting("HOLDFAST_RESULT"),
    });
    await HookedRun.sweep(hooked.port());
    expect(hooked.notes()).toEqual([expect.stringMatching(/^remove {2}\//), "after interrupted"]);
    expect(hooked.leftOver()).toEqual([]);
    await HookedRun.sweep(hooked.port());
    expect(hooked.notes()).toHaveLength(2);
  });

  test("a journal that others could have written is not obeyed", async () => {
    await killedInBody({ after: hooked.noting("HOLDFAST_RESULT") });
    for (const path of [join(hooked.state, "hooks.json"), hooked.state]) {
      chmodSync(path, 0o777);
      expect((await failureOf(HookedRun.sweep(hooked.port()))).code).toBe(ErrorCode.forbidden);
      chmodSync(path, 0o700);
    }
    expect(hooked.notes()).toEqual([]);
    await HookedRun.sweep(hooked.port());
    expect(hooked.notes()).toEqual(["after interrupted"]);
  });

  test("a journal that is damaged is said once", async () => {
    writeFileSync(join(hooked.state, "hooks.json"), "{");
    await HookedRun.sweep(hooked.port());
    await HookedRun.sweep(hooked.port());
    expect(hooked.said.warnings).toEqual([expect.stringContaining("hooks.json is damaged")]);
    expect(hooked.leftOver()).toEqual([]);
  });
});
