// A clock that jumps backwards between runs, at the agent and at the gateway; and a second gateway on the same directory.

import { globSync, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { randomFrom } from "../fidelity/random.ts";
import { eventsOf, Program, type RunOptions, Site } from "./program.ts";
import { openBesides, restoreBesides } from "./reference.ts";
import { canRun } from "./requirements.ts";
import { changeSource, describeTree } from "./sourceTree.ts";
import { tearDownAll } from "./tearDown.ts";

/**
 * The wall clock so many days off; the clock that timers run by stays right. The library is preloaded without its wrapper program, which
 * would stand between a signal and the process it is for.
 */
function clockOff(days: number): RunOptions {
  const [library] = globSync("/usr/lib/*/faketime/libfaketimeMT.so.1");
  if (library === undefined) throw new Error("libfaketimeMT.so.1 was not found");
  const offset = `${days < 0 ? "" : "+"}${days}d`;
  return { environment: { LD_PRELOAD: library, FAKETIME: offset, FAKETIME_DONT_FAKE_MONOTONIC: "1" } };
}

const scratch = mkdtempSync(join(tmpdir(), "holdfast-clock-"));
const source = join(scratch, "source");
const random = randomFrom(12);
let site: Site;

beforeAll(async () => {
  site = await Site.create(join(scratch, "site"));
  mkdirSync(source);
  changeSource(source, random, 0);
});
afterAll(() => {
  tearDownAll();
  rmSync(scratch, { recursive: true, force: true });
});

describe.skipIf(!canRun("jumps of the clock", "faketime"))("a clock that jumps backwards", () => {
  it("changes neither order nor content of snapshots", async () => {
    const trees = new Map<string, Map<string, string>>();
    const order: string[] = [];
    const backup = async (options: RunOptions): Promise<void> => {
      changeSource(source, random, order.length);
      const { snapshot } = await site.backup([source], options);
      order.unshift(snapshot);
      trees.set(snapshot, describeTree(source));
      expect(await site.snapshots()).toEqual(order);
    };
    await backup({});
    await backup(clockOff(-3));
    await site.stop();
    await site.start(clockOff(-40));
    await backup(clockOff(-2));
    await backup({});
    await backup(clockOff(-4000));
    await site.stop();
    await site.start();
    await backup(clockOff(+2));
    await backup({});

    const target = join(scratch, "latest");
    await site.runAgent(["restore", `latest:${source}`, "--target", target]);
    expect(describeTree(target)).toEqual(trees.get(order[0]!));
    const vault = await openBesides(site);
    for (const [snapshot, tree] of trees) expect(restoreBesides(vault, snapshot, source)).toEqual(tree);
    await site.runAgent(["check", "--read-data", "100%"]);
  });
});

describe("a second gateway on the same data directory", () => {
  it("is refused, and the first one goes on", async () => {
    const second = await new Program(["gateway", "run", "--data", site.data, "--json"]).ended;
    expect(second.status).toBe(1);
    expect(eventsOf(second).at(-1)).toMatchObject({ event: "error", code: "data-dir-locked" });
    expect(second.stderr).toContain(site.data);
    await site.backup([source]);
    // The lock goes with the process, however that ends.
    await site.gateway.end("SIGKILL");
    await site.start();
    await site.backup([source]);
  });
});
