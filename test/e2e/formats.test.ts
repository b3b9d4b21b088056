// What each released version wrote, opened by the program as it is now and by the reference reader (test/fixtures/README.md).

import { execFileSync } from "node:child_process";
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import { surveyFiles } from "../fixtures/surveyFiles.ts";
import { restore } from "../reference/restore.ts";
import { Vault } from "../reference/vault.ts";
import { done, holdfast, lastEvent, Program, runGateway, scratchFolder } from "./program.ts";

type Expected = { item: string; snapshot: string; entries: Record<string, string> };

const formats = join(import.meta.dirname, "..", "fixtures", "formats");
const names = readdirSync(formats).map((each) => each.replace(".tar.gz", ""));

test("there is one of each release", () => {
  expect(names).toContain("0.1.0");
});

describe.each(names)("%s", (name) => {
  const undo: (() => void)[] = [];
  let folder: string;
  let source: string;
  let expected: Expected[];
  const at = (...parts: string[]): string => join(folder, ...parts);
  const change = (file: string, edit: (json: Record<string, unknown>) => object): void => {
    const json = JSON.parse(readFileSync(at(file), "utf8")) as Record<string, unknown>;
    writeFileSync(at(file), JSON.stringify({ ...json, ...edit(json) }));
  };

  beforeAll(() => {
    folder = scratchFolder((each) => void undo.push(each));
    execFileSync("tar", ["-C", folder, "-xzf", join(formats, `${name}.tar.gz`)]);
    ({ source, expected } = JSON.parse(readFileSync(at("expected.json"), "utf8")) as {
      source: string;
      expected: Expected[];
    });
    return () => {
      for (const each of undo) each();
    };
  });

  test("its snapshots are restored by the reference reader, with the password and with the recovery key", async () => {
    const [vault = ""] = readdirSync(at("data", "vaults"));
    const password = readFileSync(at("password"), "utf8").trim();
    const recoveryKey = readFileSync(at("account.key"), "utf8").trim();
    for (const credential of [{ password }, { recoveryKey }]) {
      const opened = await Vault.open(at("data", "vaults", vault), credential);
      const { snapshots, damaged } = opened.snapshots();
      expect([snapshots.length, damaged]).toEqual([expected.length, []]);
      for (const { snapshot, entries } of expected) {
        const target = at(`reference-${Object.keys(credential).join()}-${snapshot.slice(0, 8)}`);
        mkdirSync(target);
        const found = snapshots.find(({ id }) => id === snapshot);
        expect(restore(opened, found!, target)).toMatchObject({ failed: [], notMade: [] });
        expect(surveyFiles(join(target, source))).toEqual(entries);
      }
    }
  });

  test("its replica gives the gateway back", async () => {
    const key = ["--recovery-key-file", at("gateway.key")];
    await done("gateway", "restore-from", `file://${at("replica")}`, "--data", at("again"), ...key);
    expect(await done("gateway", "check", "--data", at("again"))).toContain(
      ": 0 problems, 0 snapshots hurt.",
    );
  });

  test("the gateway opens it and has all that it had; its machine restores each snapshot, and backs up on top", async () => {
    const gateway = await runGateway(at("data"));
    undo.unshift(() => void gateway.child.kill("SIGKILL"));
    const here = ["--data", at("data")];
    const status = JSON.parse(await done("gateway", "status", ...here, "--json")) as { url: string };
    // The port is another one each time.
    change("state/agent.json", ({ gateway: before }) => ({
      gateway: { ...(before as object), url: status.url },
    }));
    const state = ["--state", at("state")];
    for (const { snapshot, entries } of expected) {
      const target = at(`agent-${snapshot.slice(0, 8)}`);
      await done("agent", "restore", snapshot, "--target", target, ...state);
      expect(surveyFiles(join(target, source))).toEqual(entries);
    }
    expect(JSON.parse(await done("item", "list", "--json", ...here))).toMatchObject([
      {
        device: "laptop",
        item: "home",
        definition: { rules: ["daily at 02:00"], timeZone: "Europe/Vienna" },
      },
    ]);
    const snapshots = await done("snapshot", "list", "--json", ...here);
    expect(snapshots).toContain("a fixture");
    expect(await done("retention", "show", ...here)).toContain("daily 7");
    const jobs = JSON.parse(await done("job", "list", "--kind", "backup", "--json", ...here)) as {
      result: string;
    }[];
    expect(jobs.filter(({ result }) => result === "done")).toHaveLength(expected.length);
    // What is unchanged is known, over all that was rotated and upgraded since.
    const [last] = expected.slice(-1);
    const again = at(`agent-${last!.snapshot.slice(0, 8)}`, source);
    const backup = lastEvent(await done("agent", "backup", again, "--item", "home", "--json", ...state));
    expect(backup).toMatchObject({
      files: Object.values(last!.entries).filter((each) => each.startsWith("file")).length,
    });
    expect(await done("gateway", "check", ...here)).toContain(": 0 problems, 0 snapshots hurt.");
    expect(await done("version", "--check", ...state, ...here)).toContain("speak protocol 1 with each other");
    await gateway.stop();
  });

  test("what a newer program wrote is refused with a line that says so, and left as it is", async () => {
    const files = ["data/gateway.json", "state/agent.json"];
    const before = files.map((file) => readFileSync(at(file), "utf8"));
    for (const file of files) change(file, () => ({ version: 99 }));
    const data = await new Program(["gateway", "run", "--data", at("data")]).ended();
    const state = await holdfast("agent", "backup", folder, "--state", at("state"));
    for (const ran of [data, state]) {
      expect(ran.status).toBe(1);
      expect(ran.stderr).toMatch(/version 99.*this program knows.* 1/);
      expect(ran.stderr).toMatch(/newer/);
    }
    files.forEach((file, n) => void writeFileSync(at(file), before[n] as string));
    const [vault = ""] = readdirSync(at("data", "vaults"));
    change(`data/vaults/${vault}/vault.json`, () => ({
      features: { write: ["later"], read: [], gc: [], verify: [] },
    }));
    const gateway = await runGateway(at("data"));
    undo.unshift(() => void gateway.child.kill("SIGKILL"));
    const status = JSON.parse(await done("gateway", "status", "--data", at("data"), "--json")) as {
      url: string;
    };
    change("state/agent.json", ({ gateway: was }) => ({ gateway: { ...(was as object), url: status.url } }));
    const refused = await holdfast("agent", "backup", folder, "--state", at("state"));
    expect(refused.stderr).toMatch(/needs the feature "later" to write.*newer/);
    await gateway.stop();
  });
});
