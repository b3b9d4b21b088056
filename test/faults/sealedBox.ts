// A box with two snapshots, as it was before it was sealed and behind that, and the datacentre that waits for it.

import { cpSync, mkdirSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Random } from "../fidelity/random.ts";
import { Box } from "./box.ts";
import { Site } from "./program.ts";
import { changeSource, describeTree } from "./sourceTree.ts";

const MiB = 2 ** 20;
/** The first is one that an import keeps as it is; of the second size, several make a lot. */
const packTargets = [9 * MiB, 300_000];

export type SealedBox = {
  /** The datacentre, which has no manifest. It is stopped. */
  readonly site: Site;
  /** State of the agent before it was sent to the box: it asks the datacentre. */
  readonly freshState: string;
  readonly box: Box;
  /** A copy, sealed. */
  readonly sealed: Box;
  /** Manifest and lists of that. */
  readonly manifestFile: string;
  readonly source: string;
  /** The source as it was at each snapshot, oldest first. */
  readonly trees: ReadonlyMap<string, Map<string, string>>;
  readonly newest: string;
};

export async function makeSealedBox(scratch: string, random: Random): Promise<SealedBox> {
  const [freshState, source, manifestFile] = [
    join(scratch, "fresh"),
    join(scratch, "source"),
    join(scratch, "manifest.hfb"),
  ];
  const site = await Site.create(join(scratch, "site"));
  cpSync(site.state, freshState, { recursive: true });
  const box = await Box.prepare(site, join(scratch, "box"));
  mkdirSync(source);
  const first = join(source, "first");
  writeFileSync(first, random.bytes(9 * MiB));
  utimesSync(first, 1_600_000_000, 1_600_000_000);
  const trees = new Map<string, Map<string, string>>();
  let newest = "";
  for (const [round, bytes] of packTargets.entries()) {
    changeSource(source, random, round);
    const environment = { HOLDFAST_TEST_PACK_BYTES: String(bytes) };
    await box.start({ preload: ["packTarget.ts"], environment });
    newest = (await site.backup([source])).snapshot;
    trees.set(newest, describeTree(source));
    await box.stop();
  }
  await site.stop();
  const sealed = box.with(join(scratch, "sealed"));
  cpSync(box.directory, sealed.directory, { recursive: true });
  await sealed.seal("--offline", "--manifest-out", manifestFile);
  return { site, freshState, box, sealed, manifestFile, source, trees, newest };
}
