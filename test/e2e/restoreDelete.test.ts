// `restore --delete` among mounted file systems: what the backup never looked at is not deleted.

import { existsSync, mkdirSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createTmpfs } from "../faults/loopDisk.ts";
import { canRun } from "../faults/requirements.ts";
import { tearDownAll } from "../faults/tearDown.ts";
import { eventsOf } from "./jsonLines.ts";
import { done, enroll, holdfast, openSite, undoneAfterAll } from "./program.ts";

describe.skipIf(!canRun("restores among mounts", "mount"))("restore --delete", () => {
  const finished = undoneAfterAll();
  afterAll(tearDownAll);
  let state: string;
  let source: string;
  const at = (name: string): string => join(source, name);
  const put = (...names: string[]): void => {
    for (const name of names) writeFileSync(at(name), name);
  };
  /** Restores over the source; gives the exit status and what was said of paths. */
  async function restored(item: string): Promise<{ status: number | null; said: Record<string, string> }> {
    const words = ["agent", "restore", `latest:${source}`, "--item", item, "--target", source, "--delete"];
    const ran = await holdfast(...words, "--state", state, "--json");
    const events = eventsOf(ran.stdout).filter((event) => typeof event.path === "string");
    const rows = events.map((event) => [String(event.path), String(event.message)]);
    return { status: ran.status, said: Object.fromEntries(rows) as Record<string, string> };
  }

  beforeAll(async () => {
    const site = await openSite(finished);
    state = await enroll(site, "laptop");
    source = join(site.folder, "source");
    for (const name of ["usb", "data", "data/inner", "later", "plain"])
      mkdirSync(at(name), { recursive: true });
    createTmpfs(at("usb"), 8);
    createTmpfs(at("data"), 8);
    put("keep", "plain/kept", "data/known");
    const backUp = ["agent", "backup", source, "--state", state];
    await done(...backUp, "--item", "one", "--one-file-system");
    await done(...backUp, "--item", "all");
    // What came since: files everywhere, and a disk where there was none.
    createTmpfs(at("later"), 8);
    mkdirSync(at("holder/mount"), { recursive: true });
    createTmpfs(at("holder/mount"), 8);
    mkdirSync(at("strange/deep"), { recursive: true });
  });
  const strangers = ["stranger", "plain/stranger", "strange/deep/file", "holder/mount/file"];
  const onMounts = ["usb/precious", "data/precious", "later/fresh"];

  it("deletes nothing on what was mounted and left out, and nothing on what is mounted now", async () => {
    put(...strangers, ...onMounts);
    const { status, said } = await restored("one");
    expect(status).toBe(3);
    for (const name of [...onMounts, "data/known", "holder/mount/file", "keep", "plain/kept"])
      expect([name, existsSync(at(name))]).toEqual([name, true]);
    for (const name of ["stranger", "plain/stranger", "strange"])
      expect([name, existsSync(at(name))]).toEqual([name, false]);
    for (const name of ["usb", "data", "later"]) expect(said[at(name)]).toContain("mount point");
    expect(said[at("holder")]).toContain("another file system is mounted");
  });

  it("deletes on what was mounted and backed up", async () => {
    put("stranger", "data/stranger");
    await restored("all");
    expect(readdirSync(at("data"))).toEqual(["known"]);
    expect(existsSync(at("stranger"))).toBe(false);
    for (const name of ["usb/precious", "later/fresh", "holder/mount/file"])
      expect([name, existsSync(at(name))]).toEqual([name, true]);
  });

  it("does not delete what a gateway stores", async () => {
    mkdirSync(at("box"));
    writeFileSync(at("box/gateway.json"), JSON.stringify({ format: "holdfast-gateway", id: "a".repeat(32) }));
    await done("agent", "backup", source, "--state", state, "--item", "box", "--one-file-system");
    mkdirSync(at("box/vaults"));
    put("box/vaults/pack", "box/stranger");
    const { status, said } = await restored("box");
    expect(status).toBe(3);
    expect(readdirSync(at("box")).sort()).toEqual(["gateway.json", "vaults"]);
    expect(existsSync(at("box/vaults/pack"))).toBe(true);
    expect(said[at("box/vaults")]).toContain("a gateway keeps its vaults there");
    rmSync(at("box"), { recursive: true });
  });
});
