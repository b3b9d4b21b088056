// The drive answers as the tree does that it is a backup of: the same random questions to both, as root and as a stranger, with
// the same results down to the error; and inode numbers that stay.

import { spawn } from "node:child_process";
import * as fs from "node:fs";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { canRun } from "../faults/requirements.ts";
import { buildNastyTree } from "../fidelity/nastyTree.ts";
import { removeTree, run } from "../fidelity/tool.ts";
import { done, enroll, mountsBelow, openSite, Program, type Site } from "./program.ts";

const seed = Number(process.env.HOLDFAST_SEED ?? 23);
const operations = Number(process.env.HOLDFAST_OPERATIONS ?? 5000);
const ready = canRun("random operations on drives", "mount", "getfattr", "getfacl");
const program = join(import.meta.dirname, "driveOperations.ts");

describe.skipIf(!ready)(`a drive beside its source (seed ${seed})`, () => {
  const base = ready ? fs.mkdtempSync("/var/tmp/holdfast-beside-") : "";
  const source = join(base, "source");
  const undo: (() => void | Promise<void>)[] = [];
  let site: Site;
  let state: string;

  async function mount(
    name: string,
    ...options: string[]
  ): Promise<{ drive: Program; seen: string; point: string }> {
    const point = join(base, name);
    fs.mkdirSync(point, { recursive: true });
    const words = ["agent", "mount", point, "--foreground", "--allow-other", "--state", state, ...options];
    const drive = new Program(words);
    undo.push(async () => {
      await drive.stop("SIGKILL");
      if (mountsBelow(base).includes(point)) run("umount", ["-l", point], "/");
    });
    await drive.printed(/The drive is at/);
    return { drive, point, seen: join(point, "alice/laptop/files/latest", source) };
  }

  beforeAll(async () => {
    fs.chmodSync(base, 0o755);
    site = await openSite((step) => undo.push(step));
    state = await enroll(site, "laptop");
    fs.mkdirSync(source);
    await buildNastyTree(source, { seed, entries: 300, sparseBytes: 2 ** 40 });
    await done("agent", "backup", source, "--state", state);
  });
  afterAll(async () => {
    for (const step of undo.reverse()) await step();
    if (base !== "") removeTree(base);
  });

  async function compare(seen: string, uid: number): Promise<void> {
    const child = spawn(
      process.execPath,
      [program, source, seen, String(seed + uid), String(operations), String(uid)],
      {
        stdio: ["ignore", "pipe", "inherit"],
      },
    );
    const said = JSON.parse(await text(child.stdout)) as { tried: Record<string, number>; wrong: string[] };
    expect(said.wrong).toEqual([]);
    const tries = Object.values(said.tried);
    expect(tries.length).toBe(30);
    expect(Math.min(...tries)).toBeGreaterThan(operations / 200);
  }

  it("answers root and strangers alike, and refuses every change with EROFS", async () => {
    const { drive, seen } = await mount("drive");
    await compare(seen, 0);
    await compare(seen, 12_345);
    expect(await drive.stop("SIGTERM")).toMatchObject({ status: 0, stderr: "" });
  });
});
