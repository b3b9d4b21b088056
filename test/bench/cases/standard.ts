// The standard run: every phase is done by each peer in turn before the next phase starts (holdfast, restic, borg,
// holdfast, ...), so that a machine that slows down slows all of them down; the peer that goes first changes with
// every run. Edits are made once per phase, between peers' turns, so all of them see the same bytes.

import { rmSync } from "node:fs";
import { join } from "node:path";
import type { Corpus } from "../corpus/corpus.ts";
import { prepareCaches } from "../measure/caches.ts";
import { holdfast } from "../peers/holdfast.ts";
import { type Backup, type HoldfastRepository, type Peer, PeerName } from "../peers/peer.ts";
import { type Context, narrated } from "./context.ts";
import { agentDriveOf, driveOf, type Turn } from "./drive.ts";
import { measureMount, measureSource } from "./mount.ts";
import { measureReads, measureSourceReads } from "./reads.ts";
import { measureStream } from "./stream.ts";
import { verifySame } from "./verify.ts";
import { measureWebdav } from "./webdav.ts";

export const Phase = {
  unchanged: "unchanged",
  restore: "restore",
  mount: "mount",
  reads: "reads",
  webdav: "webdav",
  edits: "edits",
  image: "image",
  cache: "cache",
  second: "second",
  stream: "stream",
} as const;
export type Phase = (typeof Phase)[keyof typeof Phase];

/**
 * Where restored trees stay until everything was measured: ext4 without a journal does not give inodes away for some minutes after
 * they were freed and looks for others one by one, so whoever restores after a deletion would pay for it.
 */
export function restoredFolder(dir: string): string {
  return join(dir, "restored");
}

/** One run of all chosen phases, from empty repositories; the first backup is always done. */
export async function standardRun(
  context: Context,
  corpus: Corpus,
  phases: ReadonlySet<Phase>,
  run: number,
): Promise<void> {
  const { samples, say } = context;
  const home = join(context.dir, "run");
  rmSync(home, { recursive: true, force: true });
  corpus.revert();
  const turns: Turn[] = [];
  let own: HoldfastRepository | undefined;
  const label = (what: string, name: PeerName): string => `run ${run + 1}, ${what}, ${name}`;
  const each = async (what: string, turn: (turn: Turn) => Promise<void>): Promise<void> => {
    for (const entry of turns) await narrated(say, label(what, entry.name), () => turn(entry));
  };
  const backup = async (turn: Turn, row: string, source: string): Promise<Backup> => {
    prepareCaches(context.caches, [source], context.dir);
    const result = await turn.repository.backup(source);
    samples.addStep(row, turn.name, result.step);
    samples.addReported(row, turn.name, { added_bytes: result.addedBytes, ...result.reported });
    return result;
  };

  try {
    for (const peer of rotate(context.peers, run)) {
      const dir = join(home, peer.name);
      if (peer.name === PeerName.holdfast) own = await holdfast.create(dir);
      const repository = own !== undefined && peer.name === PeerName.holdfast ? own : await peer.create(dir);
      turns.push({ name: peer.name, dir, repository });
    }

    let firstSent = 0;
    await each("first backup", async (turn) => {
      const { addedBytes } = await backup(turn, "first", corpus.tree);
      if (turn.repository === own) firstSent = addedBytes;
      samples.add("stored", turn.name, turn.repository.storedBytes());
    });
    if (phases.has(Phase.unchanged)) {
      await each("nothing changed", async (turn) => void (await backup(turn, "unchanged", corpus.tree)));
    }
    if (phases.has(Phase.restore)) {
      await each("restore", async (turn) => {
        const target = join(restoredFolder(context.dir), `${run}-${turn.name}`);
        prepareCaches(context.caches, [], context.dir);
        const { step, root } = await turn.repository.restore(corpus.tree, target);
        samples.addStep("restore", turn.name, step);
        if (run === 0) verifySame(corpus.tree, root, turn.name);
      });
    }
    if (phases.has(Phase.mount)) {
      await measureSource(context, corpus);
      await each("mount", (turn) => measureMount(context, corpus, driveOf(turn, corpus.tree)));
      if (own !== undefined) {
        const drive = agentDriveOf(own, home, corpus.tree);
        await narrated(say, "agent mount", () => measureMount(context, corpus, drive));
      }
    }
    const newcomer = async (row: string): Promise<void> => {
      if (own !== undefined && phases.has(Phase.second))
        await newDevice(context, own, corpus, firstSent, row);
    };
    await newcomer("second-device");
    if (phases.has(Phase.edits)) {
      corpus.editTree();
      await each("small edits", async (turn) => {
        const { addedBytes } = await backup(turn, "edits", corpus.tree);
        samples.add("edits-added", turn.name, addedBytes);
      });
      // Once more: now the gateway holds the tree as it grew, in bundles that a newcomer would not make.
      await newcomer("second-device-edited");
    }
    if (own !== undefined && phases.has(Phase.cache)) await cacheLost(context, own, corpus, firstSent);
    if (own !== undefined && phases.has(Phase.stream)) await measureStream(context, own, corpus);
    if (phases.has(Phase.image)) {
      await each("disk image", async (turn) => void (await backup(turn, "image-first", corpus.image)));
      corpus.editImage();
      await each("disk image edits", async (turn) => {
        const { addedBytes } = await backup(turn, "image-edits", corpus.image);
        samples.add("image-added", turn.name, addedBytes);
      });
      if (phases.has(Phase.reads)) {
        await measureSourceReads(context, corpus.image);
        await each("reads", (turn) => measureReads(context, driveOf(turn, corpus.image)));
        if (own !== undefined) {
          const drive = agentDriveOf(own, home, corpus.image);
          await narrated(say, "reads by agent mount", () => measureReads(context, drive));
        }
      }
      if (phases.has(Phase.webdav)) {
        await each("webdav", (turn) => measureWebdav(context, corpus, turn, own));
      }
    }
  } finally {
    for (const { repository } of turns) await repository.close();
  }
  rmSync(home, { recursive: true, force: true });
}

/** Backs the unchanged tree up once more after the agent's cache was deleted: time, and bytes sent in percent of `firstSent`. */
async function cacheLost(
  context: Context,
  own: HoldfastRepository,
  corpus: Corpus,
  firstSent: number,
): Promise<void> {
  own.forgetCache();
  prepareCaches(context.caches, [corpus.tree], context.dir);
  const { step, addedBytes, reported } = await narrated(context.say, "cache deleted", () =>
    own.backup(corpus.tree),
  );
  context.samples.addStep("cache-lost", PeerName.holdfast, step);
  context.samples.add("cache-lost-sent", PeerName.holdfast, (100 * addedBytes) / firstSent);
  context.samples.addReported("cache-lost", PeerName.holdfast, { added_bytes: addedBytes, ...reported });
}

/** The same tree from a device that knows nothing yet. What it reads back to verify is printed when the agent tells. */
async function newDevice(
  context: Context,
  own: HoldfastRepository,
  corpus: Corpus,
  firstSent: number,
  row: string,
): Promise<void> {
  const device = await own.enrollAnother(row);
  prepareCaches(context.caches, [corpus.tree], context.dir);
  const { step, addedBytes, reported } = await narrated(context.say, row, () => device.backup(corpus.tree));
  const { samples } = context;
  samples.addStep(row, PeerName.holdfast, step);
  samples.add(`${row}-sent`, PeerName.holdfast, (100 * addedBytes) / firstSent);
  samples.addReported(row, PeerName.holdfast, { added_bytes: addedBytes, ...reported });
  const readBack = reported.read_back_bytes;
  if (readBack !== undefined) samples.add(`${row}-read-back`, PeerName.holdfast, readBack);
}

function rotate(peers: readonly Peer[], by: number): Peer[] {
  const start = by % Math.max(peers.length, 1);
  return [...peers.slice(start), ...peers.slice(0, start)];
}
