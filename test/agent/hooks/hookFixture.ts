// A state directory, a source and notes for runs with hooks, whose body is the test's.

import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, realpathSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { onTestFinished } from "vitest";
import { HookedRun, type HookPort } from "../../../agent/hooks/hookedRun.ts";
import type { Hooks } from "../../../agent/hooks/hooks.ts";
import { resolveTopPaths } from "../../../agent/source/topPaths.ts";
import { HoldfastError } from "../../../vault/errors.ts";

export type Texts = {
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

export class HookFixture {
  readonly folder = realpathSync(mkdtempSync(join(tmpdir(), "holdfast-hooks-")));
  readonly state = join(this.folder, "state");
  readonly source = join(this.folder, "source");
  readonly said: { warnings: string[]; lines: string[] } = { warnings: [], lines: [] };

  /** Removed with the test that made it. */
  constructor() {
    onTestFinished(() => rmSync(this.folder, { recursive: true }));
    mkdirSync(this.state);
    mkdirSync(this.source);
  }

  port(signal: AbortSignal = new AbortController().signal): HookPort {
    return {
      state: this.state,
      device: "laptop",
      environment: { PATH: process.env.PATH, HOLDFAST_PASSWORD: "secret" },
      signal,
      nowMs: () => 1000,
      warn: (what) => this.said.warnings.push(what),
      line: (stage, text) => this.said.lines.push(`${stage}: ${text}`),
      live: () => undefined,
    };
  }

  /** A command that writes down its stage, one of its variables and its argument. */
  noting(variable: string, then = ":"): string {
    const file = join(this.folder, "notes");
    return `note() { echo "$HOLDFAST_STAGE \${${variable}-} \${1-}" >>${file}; }; note "\${1-}"; ${then}`;
  }

  notes(): string[] {
    const file = join(this.folder, "notes");
    const lines = existsSync(file) ? readFileSync(file, "utf8").trim().split("\n") : [];
    return lines.map((line) => line.trim());
  }

  async around(texts: Texts, body: () => unknown = () => undefined, signal?: AbortSignal): Promise<unknown> {
    await HookedRun.sweep(this.port());
    return await new HookedRun(hooksOf(texts), this.port(signal), "files", [this.source]).around(
      () => resolveTopPaths([this.source]),
      async () => await body(),
      () => ({ HOLDFAST_RESULT: "done", HOLDFAST_SNAPSHOT: "0123" }),
    );
  }

  /** What is left of a run in the state directory. */
  leftOver(): string[] {
    const snapshots = join(this.state, "snapshots");
    return [
      ...readdirSync(this.state).filter((name) => name !== "snapshots"),
      ...(existsSync(snapshots) ? readdirSync(snapshots) : []),
    ];
  }
}

export async function failureOf(work: Promise<unknown>): Promise<HoldfastError> {
  const error = await work.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  if (error instanceof HoldfastError) return error;
  throw new Error(`it did not fail as expected: ${error}`);
}
