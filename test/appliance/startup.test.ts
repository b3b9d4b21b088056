// What a command loads before it does anything (docs/decisions/0001, "How a command starts").

import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { programFlags } from "../../appliance/nodeFlags.ts";

const main = resolve(import.meta.dirname, "../../appliance/cli/main.ts");
/** Tells at the end which parts of Node were loaded. */
const telling = `process.on("exit", () => process.stderr.write("\\n" + JSON.stringify(process.moduleLoadList)));`;

test.each([
  ["agent", "snapshots", "--state"],
  ["gateway", "status", "--data"],
])("%s %s: Node's HTTP is there, its client of fetch is not", (...words) => {
  const folder = mkdtempSync(join(tmpdir(), "holdfast-startup-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const preload = `--import=data:text/javascript,${encodeURIComponent(telling)}`;
  const args = [...programFlags, preload, main, ...words, join(folder, "none")];
  const { status, stderr } = spawnSync(process.execPath, args, { encoding: "utf8" });
  expect(status, stderr).toBe(1);
  const loaded = JSON.parse(stderr.trim().split("\n").at(-1) ?? "") as readonly string[];
  expect(loaded).toContain("NativeModule http");
  expect(loaded.filter((name) => name.includes("undici"))).toEqual([]);
});
