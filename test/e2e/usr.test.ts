// What a real machine has below /usr, through the program and back: hard links, links, setuid programs, capabilities, thousands of
// folders, names and times as packages bring them. A slice of it by default; HOLDFAST_USR=all takes the whole.

import * as fs from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { canRun } from "../faults/requirements.ts";
import { compareTrees, rsyncDifferences, tarDigest } from "../fidelity/compareTrees.ts";
import { removeTree, run } from "../fidelity/tool.ts";
import { type Event, eventsOf } from "./jsonLines.ts";
import { done, enroll, openSite } from "./program.ts";

const slice = ["/usr/bin", "/usr/sbin", "/usr/share/zoneinfo", "/usr/lib/locale"];
const folders = process.env.HOLDFAST_USR === "all" ? ["/usr"] : slice.filter((path) => fs.existsSync(path));

const ready = canRun("fidelity on /usr", "rsync", "getfattr", "getfacl", "xfs_io");

describe.skipIf(!ready)(`${folders.join(", ")} through the program`, () => {
  // On a real file system as /usr is; /tmp may be a tmpfs.
  const base = ready ? fs.mkdtempSync("/var/tmp/holdfast-usr-") : "";
  const target = join(base, "target");
  const undo: (() => void | Promise<void>)[] = [];
  let state: string;
  let backedUp: Event[];

  beforeAll(async () => {
    state = await enroll(await openSite((step) => undo.push(step)), "laptop");
    backedUp = await agent("backup", ...folders);
    await agent("restore", "latest", "--target", target);
  }, 600_000);
  afterAll(async () => {
    for (const step of undo.reverse()) await step();
    if (base !== "") removeTree(base);
  });

  /** Runs an agent's command that must end with status 0; gives what it told. */
  async function agent(...args: string[]): Promise<Event[]> {
    return eventsOf(await done("agent", ...args, "--state", state, "--json"));
  }

  it("is worth it: links of both kinds and setuid programs, thousands of entries", () => {
    const count = (...tests: string[]): number =>
      run("find", [...folders, ...tests, "-printf", "."], "/").length;
    expect(count()).toBeGreaterThan(1000);
    for (const test of [
      ["-type", "l"],
      ["-type", "f", "-links", "+1"],
      ["-perm", "/6000"],
    ])
      expect(count(...test), test.join(" ")).toBeGreaterThan(0);
  });

  it("warns of nothing", () => {
    expect(backedUp.filter(({ event }) => event !== "progress").map(({ event }) => event)).toEqual(["done"]);
    expect(backedUp.at(-1)).toMatchObject({ warnings: 0 });
  });

  it.each(folders)("%s comes back in every respect", { timeout: 1_200_000 }, (folder) => {
    const restored = join(target, folder);
    expect(compareTrees(folder, restored)).toEqual([]);
    expect(rsyncDifferences(folder, restored)).toEqual([]);
    expect(tarDigest(restored)).toBe(tarDigest(folder));
  });
});
