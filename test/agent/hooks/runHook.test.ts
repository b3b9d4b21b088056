// One command of a hook: how it ends, what is kept of what it prints, and that nothing of it is left when it is stopped.

import { randomBytes } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { expect, onTestFinished, test } from "vitest";
import { shellWords } from "../../../agent/hooks/hooks.ts";
import { killMarked, markVariable } from "../../../agent/hooks/markedProcesses.ts";
import { type HookRun, outputBytesMax, runHook } from "../../../agent/hooks/runHook.ts";

function hook(text: string, more: Partial<HookRun> = {}): HookRun & { readonly lines: string[] } {
  const lines: string[] = [];
  const mark = randomBytes(16).toString("hex");
  onTestFinished(() => killMarked(mark));
  return {
    words: shellWords(text),
    mark,
    environment: { PATH: process.env.PATH },
    timeoutMs: 60_000,
    signal: undefined,
    capture: false,
    graceMs: 200,
    line: (line) => lines.push(line),
    lines,
    ...more,
  };
}

/** Command lines of the processes with a mark. */
function left(mark: string): string[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .flatMap((pid) => {
      try {
        const marked = readFileSync(`/proc/${pid}/environ`, "latin1").includes(`${markVariable}=${mark}`);
        return marked ? [readFileSync(`/proc/${pid}/cmdline`, "latin1")] : [];
      } catch {
        return [];
      }
    });
}

test("its status, its last words, and its lines without what a terminal would obey", async () => {
  const good = hook("echo one; echo two >&2; printf 'three\\033[2J'");
  expect(await runHook(good)).toEqual({ failed: undefined, status: 0, stdout: Buffer.alloc(0) });
  expect(good.lines.toSorted()).toEqual(["one", "three [2J", "two"]);
  expect(await runHook(hook("echo 'no such thing' >&2; exit 7"))).toMatchObject({
    failed: "ended with status 7: no such thing",
    status: 7,
  });
  expect(await runHook(hook("kill -SEGV $$"))).toMatchObject({ failed: "ended by SIGSEGV" });
  const absent = { ...hook(""), words: ["/nonexistent/program"] };
  expect((await runHook(absent)).failed).toContain("cannot be started");
  const huge = hook("true", { environment: { PATH: process.env.PATH, HUGE: "x".repeat(4_000_000) } });
  expect((await runHook(huge)).failed).toContain("cannot be started");
});

test("what it prints is bounded, whether it is wanted or shown", async () => {
  const lines = hook("head -c 3000000 /dev/zero | tr '\\0' x; seq 1 1000000; echo last");
  expect((await runHook(lines)).failed).toBeUndefined();
  expect(Buffer.byteLength(lines.lines.join(""))).toBeLessThan(outputBytesMax * 1.5);
  expect(lines.lines.at(-1)).toContain("what follows is not shown");
  const wanted = await runHook(hook("yes SNAPSHOT=/", { capture: true }));
  expect(wanted.failed).toContain(`printed more than ${outputBytesMax} bytes`);
  expect(wanted.stdout.length).toBeLessThanOrEqual(outputBytesMax);
  expect((await runHook(hook("printf good; echo shown >&2", { capture: true }))).stdout.toString()).toBe(
    "good",
  );
});

test.each(["its time limit", "the signal"])(
  "stopped by %s, nothing of it is left, not what left its group or is deaf",
  async (by) => {
    const stopping = new AbortController();
    const run = hook(
      "trap '' TERM; setsid sh -c 'trap \"\" TERM; while :; do sleep 0.1; done' & echo ready; while :; do sleep 0.1; done",
      {
        ...(by === "the signal" ? { signal: stopping.signal } : { timeoutMs: 500 }),
        line: () => stopping.abort(),
      },
    );
    const { failed } = await runHook(run);
    expect(failed).toContain(by === "the signal" ? "was stopped" : "was not done after 0.5 s");
    expect(left(run.mark)).toEqual([]);
  },
);

test("one that was stopped before it began does not run on", async () => {
  const run = hook("sleep 60", { signal: AbortSignal.abort() });
  expect((await runHook(run)).failed).toContain("was stopped");
  expect(left(run.mark)).toEqual([]);
});

test("a daemon that holds the output open keeps nobody waiting, and lives on", async () => {
  const run = hook("sleep 600 & echo begun");
  expect((await runHook(run)).failed).toBeUndefined();
  expect(run.lines).toEqual(["begun"]);
  expect(left(run.mark)).toEqual([expect.stringContaining("sleep")]);
});
