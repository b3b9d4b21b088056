// The reference reader on a vault that the real agent and the real gateway wrote, compared with the source by outside programs.

import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Site } from "../faults/program.ts";
import { openBesides } from "../faults/reference.ts";
import { canRun } from "../faults/requirements.ts";
import { tearDownAll } from "../faults/tearDown.ts";
import { compareTrees } from "../fidelity/compareTrees.ts";
import { buildNastyTree } from "../fidelity/nastyTree.ts";
import { addDetails, type Survey, surveyNames } from "../fidelity/survey.ts";
import { removeTree } from "../fidelity/tool.ts";
import { kinds } from "./directoryPage.ts";
import { type ManifestRow, manifest } from "./manifest.ts";
import { restore } from "./restore.ts";
import { Vault } from "./vault.ts";

const letters: Readonly<Record<number, string>> = {
  [kinds.file]: "f",
  [kinds.directory]: "d",
  [kinds.symlink]: "l",
  [kinds.fifo]: "p",
  [kinds.characterDevice]: "c",
  [kinds.blockDevice]: "b",
};

describe.skipIf(!canRun("the reference reader on a nasty tree", "getfattr", "getfacl", "xfs_io"))(
  "a real vault",
  () => {
    const scratch = mkdtempSync(join(tmpdir(), "holdfast-reference-"));
    const source = join(scratch, "source");
    let site: Site;
    afterAll(() => {
      tearDownAll();
      removeTree(scratch);
    });

    beforeAll(async () => {
      mkdirSync(source);
      await buildNastyTree(source, { seed: 7, entries: 1000 });
      site = await Site.create(join(scratch, "site"));
      await site.backup([source], { statuses: [0, 3] });
      // A second one over a change, so that pages and bundles of both are read.
      writeFileSync(join(source, "added"), "later");
      await site.backup([source], { statuses: [0, 3] });
    }, 120_000);

    it("lists both snapshots, while the gateway runs and after it stopped", { timeout: 60_000 }, async () => {
      const running = (await openBesides(site)).snapshots();
      await site.stop();
      const byPassword = await Vault.open(site.vaultFolder, { password: "correct horse battery staple" });
      const { snapshots, damaged } = byPassword.snapshots();
      expect(damaged).toEqual([]);
      expect(snapshots).toEqual(running.snapshots);
      expect(snapshots.map(({ sequence }) => sequence)).toEqual([1, 2]);
      expect(snapshots[1]?.previous).toBe(snapshots[0]?.id);
      expect(snapshots[1]?.body).toMatchObject({
        device: "laptop",
        item: "files",
        paths: [source],
        chunker: "auto-1",
      });
    });

    it("tells of every entry what outside programs tell of the source", { timeout: 120_000 }, async () => {
      const vault = await openBesides(site);
      const newest = vault.snapshots().snapshots.at(-1)!;
      const rows = manifest(vault, newest);
      expect(rows.filter(({ error }) => error !== undefined)).toEqual([]);
      const counted = { files: 0, dirs: 0, others: 0, bytes: 0 };
      for (const { kind, size } of rows) {
        counted[kind === kinds.file ? "files" : kind === kinds.directory ? "dirs" : "others"] += 1;
        counted.bytes += size ?? 0;
      }
      expect(newest.body).toMatchObject(counted);

      const survey = surveyNames(source);
      addDetails(source, survey, new Set(), new Set(["xattrs", "device"]));
      const prefix = `${Buffer.from(source).toString("latin1")}`;
      const found = new Map(rows.map((row) => [pathText(row), row]));
      const differences: unknown[] = [];
      for (const [path, wanted] of wantedFacts(survey)) {
        const row = found.get(path === "" ? prefix : `${prefix}/${path}`);
        const facts = row === undefined ? "missing" : factsOf(row);
        if (facts !== wanted) differences.push({ path, wanted, facts });
      }
      expect(differences).toEqual([]);
    });

    it("restores the tree", { timeout: 120_000 }, async () => {
      const vault = await openBesides(site);
      const target = join(scratch, "restored");
      const report = restore(vault, vault.snapshots().snapshots.at(-1)!, target);
      expect(report.failed).toEqual([]);
      const without = ["mtime", "xattrs", "acl"] as const; // beyond node:fs; the manifest vouches for them
      const differences = compareTrees(source, join(target, source), { without });
      const notMade = report.notMade.map((path) => path.slice(source.length + 1));
      expect(
        differences.filter(({ aspect, path }) => aspect !== "missing" || !notMade.includes(path)),
      ).toEqual([]);
      rmSync(target, { recursive: true, force: true });
    });
  },
);

function pathText({ path }: ManifestRow): string {
  return Buffer.from(path, "hex").toString("latin1");
}

function wantedFacts(survey: Survey): Map<string, string> {
  return new Map(
    [...survey].map(([path, { facts }]) => {
      const fact = (name: Parameters<typeof facts.get>[0]) => facts.get(name) ?? "";
      const device = fact("device")
        .split(":")
        .filter((part) => part !== "")
        .map((part) => Number.parseInt(part, 16))
        .join(":");
      const [seconds, fraction] = fact("mtime").split(".");
      const mtime = `${seconds}.${fraction?.slice(0, 9)}`;
      const parts = [fact("kind"), fact("mode"), fact("owner"), mtime, fact("size"), fact("target"), device];
      return [path, [...parts, fact("xattrs").replaceAll("=0x", "=")].join("|")];
    }),
  );
}

const second = 1_000_000_000n;

/** A name of an attribute as getfattr prints it. */
function escaped(name: string): string {
  return name.replace(/[\n\r\\=]/g, (char) => `\\${char.charCodeAt(0).toString(8).padStart(3, "0")}`);
}

function factsOf(row: ManifestRow): string {
  const fraction = ((row.mtime % second) + second) % second; // seconds are rounded down, also before 1970
  const mtime = `${(row.mtime - fraction) / second}.${String(fraction).padStart(9, "0")}`;
  const xattrs = Object.entries(row.xattrs)
    .map(([name, value]) => `${escaped(Buffer.from(name, "hex").toString("latin1"))}=${value}`)
    .sort()
    .join("\n");
  const mode = row.kind === kinds.symlink ? "" : row.mode.toString(8);
  const target = Buffer.from(row.target ?? "", "hex").toString("latin1");
  const parts = [
    letters[row.kind],
    mode,
    `${row.uid}:${row.gid}`,
    mtime,
    row.size ?? "",
    target,
    row.device ?? "",
  ];
  return [...parts, xattrs].join("|");
}
