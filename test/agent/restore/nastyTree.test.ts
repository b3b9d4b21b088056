// A tree with everything that a backup can get wrong: backed up and restored by the real code, compared by outside programs.

import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { runBackup } from "../../../agent/backup/backup.ts";
import { restore } from "../../../agent/restore/restore.ts";
import type { RestoreNote } from "../../../agent/restore/restoreTypes.ts";
import { noLimits } from "../../../agent/source/portion.ts";
import { resolveTopPaths } from "../../../agent/source/topPaths.ts";
import { openSnapshot } from "../../../vault/snapshot.ts";
import { compareTrees } from "../../fidelity/compareTrees.ts";
import { buildNastyTree } from "../../fidelity/nastyTree.ts";
import { MemoryGateway, testDevice, testKeys } from "../backup/memoryGateway.ts";
import { temporaryFolder } from "./restoring.ts";

test.skipIf(process.getuid?.() !== 0)(
  "a nasty tree comes back in every respect",
  { timeout: 240_000 },
  async () => {
    const base = temporaryFolder();
    const source = join(base, "source");
    mkdirSync(source);
    const seed = Number(process.env.HOLDFAST_SEED ?? 7);
    const { sockets } = await buildNastyTree(source, { seed, entries: 3000 });
    const gateway = new MemoryGateway();
    await runBackup(
      {
        paths: resolveTopPaths([source]),
        item: "files",
        rules: {},
        rescan: false,
        reference: true,
        oneFileSystem: false,
        excludeCaches: false,
        limits: noLimits,
        chunker: "fastcdc-1",
      },
      {
        session: gateway.session(),
        keys: testKeys,
        device: testDevice,
        agentVersion: "test",
        host: "host",
        cachePath: join(base, "cache"),
        nowMs: Date.now,
        signal: new AbortController().signal,
        warn: () => undefined,
        progress: () => undefined,
      },
    );
    const snapshot = openSnapshot(testKeys, gateway.snapshots.get(gateway.head as string) as Buffer);
    const path = source
      .split("/")
      .filter((name) => name !== "")
      .map((name) => Buffer.from(name));
    const run = async (target: string, from: readonly Buffer[]) => {
      const notes: RestoreNote[] = [];
      const result = await restore({
        source: gateway.source,
        keys: testKeys,
        snapshot,
        path: from,
        target: Buffer.from(target),
        overwrite: "always",
        dryRun: false,
        delete: true,
        ownerByName: false,
        onNote: (note) => notes.push(note),
      });
      return { ...result, problems: notes.filter(({ level }) => level !== "info"), notes };
    };
    const target = join(base, "target");
    const first = await run(target, path);
    expect(first.problems, `seed ${seed}`).toEqual([]);
    expect(first.notes.length).toBe(sockets.length);
    expect(compareTrees(source, target), `seed ${seed}`).toEqual([]);
    const again = await run(target, path);
    expect(again, `seed ${seed}`).toMatchObject({ problems: [], fetchedRecords: 0, deleted: 0 });
    expect(compareTrees(source, target), `seed ${seed}`).toEqual([]);
    await run(join(base, "whole"), []);
    expect(compareTrees(source, join(base, "whole", source)), `seed ${seed}`).toEqual([]);
  },
);
