import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import type { BackupRequest } from "../../../agent/backup/request.ts";
import { survey } from "../../../agent/backup/survey.ts";
import { noLimits } from "../../../agent/source/portion.ts";
import { resolveTopPaths } from "../../../agent/source/topPaths.ts";

let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "holdfast-survey-"));
  mkdirSync(join(folder, "a", "deep", "deeper"), { recursive: true });
  // More than one piece of a folder.
  for (let i = 0; i < 600; i++) writeFileSync(join(folder, "a", "deep", `${i}`), "x".repeat(10));
  writeFileSync(join(folder, "a", "deep", "deeper", "last.tmp"), "x".repeat(1000));
  symlinkSync("nowhere", join(folder, "dangling"));
  symlinkSync(".", join(folder, "loop"));
  execFileSync("mkfifo", [join(folder, "pipe")]);
});
afterEach(() => {
  rmSync(folder, { recursive: true, force: true });
});

function request(paths: readonly string[], rules: BackupRequest["rules"] = {}): BackupRequest {
  return {
    paths: resolveTopPaths(paths),
    item: "files",
    rules,
    rescan: false,
    oneFileSystem: false,
    excludeCaches: false,
    limits: noLimits,
    reference: false,
    chunker: "fastcdc-1",
  };
}

const running = new AbortController().signal;

test("counts files and their bytes, by the same rules as a backup, and follows no link", async () => {
  expect(await survey(request([folder]), running)).toEqual({ files: 601, bytes: 7000 });
  expect(await survey(request([folder], { excludes: ["*.tmp"] }), running)).toEqual({
    files: 600,
    bytes: 6000,
  });
  expect(await survey(request([folder], { includes: ["*.tmp"] }), running)).toEqual({
    files: 1,
    bytes: 1000,
  });
  expect(await survey(request([folder], { excludes: ["deep/"] }), running)).toEqual({ files: 0, bytes: 0 });
});

test("half a total is none, and what cannot be looked at is nothing", async () => {
  expect(await survey(request([folder]), AbortSignal.abort())).toBeUndefined();
  expect(await survey(request(["/proc"]), running)).toEqual({ files: 0, bytes: 0 });
  const gone = request([folder]);
  rmSync(folder, { recursive: true });
  expect(await survey(gone, running)).toEqual({ files: 0, bytes: 0 });
});
