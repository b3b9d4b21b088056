// What a command loads before it does anything (docs/decisions/0001, "How a command starts").

import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { programFlags } from "../../appliance/nodeFlags.ts";
import { folderOf } from "./folderOf.ts";

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

/** Says which modules of Node's were there when V8's flags were set, and at the end. */
const noting = `
const v8 = process.getBuiltinModule("node:v8");
const set = v8.setFlagsFromString;
const calls = [];
v8.setFlagsFromString = (flags) => { calls.push({ flags, loaded: [...process.moduleLoadList] }); set(flags); };
process.on("exit", () => process.stderr.write("\\n" + JSON.stringify({ calls, loaded: process.moduleLoadList })));`;

const heavy = ["crypto", "zlib", "worker_threads", "child_process", "tls", "_http_client", "https", "tty"];

test.each([
  [["--version"], 0, []],
  [["agent", "snapshots", "--state", "/none"], 1, heavy],
  [["gateway", "status", "--data", "/none"], 1, heavy],
])(
  "%s: Maglev is kept out once, after Node's modules came with their compiled code",
  (words, expected, early) => {
    const folder = folderOf({ "noting.cjs": noting });
    const args = ["-r", join(folder, "noting.cjs"), ...programFlags, main, ...words];
    const { status, stderr } = spawnSync(process.execPath, args, { encoding: "utf8" });
    expect(status, stderr).toBe(expected);
    const { calls, loaded } = JSON.parse(stderr.trim().split("\n").at(-1) ?? "");
    expect(calls.map(({ flags }: { readonly flags: string }) => flags)).toEqual(["--no-maglev"]);
    const later = new Set<string>(loaded);
    for (const name of calls[0].loaded) later.delete(name);
    expect(early.filter((name) => later.has(`NativeModule ${name}`))).toEqual([]);
  },
);
