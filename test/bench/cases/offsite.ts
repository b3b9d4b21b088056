// `--offsite`: replicas in a real S3 server on this machine. What goes there is timed beside restic and rclone, which send to the same
// server; then everything is evicted and read back. In every other run restic and rclone go first.

import { mkdirSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Rgw } from "../../testbeds/rgw.ts";
import type { Corpus } from "../corpus/corpus.ts";
import { BenchFailure } from "../failure.ts";
import { prepareCaches } from "../measure/caches.ts";
import type { Measurement } from "../measure/programs.ts";
import { holdfast } from "../peers/holdfast.ts";
import { type HoldfastRepository, PeerName } from "../peers/peer.ts";
import { type RcloneS3, rcloneWith } from "../peers/rcloneS3.ts";
import { backupToS3 } from "../peers/restic.ts";
import { withS3Server } from "../peers/s3Server.ts";
import { type Context, narrated } from "./context.ts";
import { measureEvicted } from "./evicted.ts";

/** What the steps of one run share. */
export type Offsite = {
  readonly context: Context;
  readonly corpus: Corpus;
  readonly server: Rgw;
  readonly rclone: RcloneS3;
  /** For files of this run. */
  readonly home: string;
  readonly own: HoldfastRepository;
  /** Runs both, in the order of this run. */
  readonly inTurn: (ours: () => Promise<void>, theirs: () => Promise<void>) => Promise<void>;
};

const OFFSITE = "offsite";
const SECOND = "second";

/** One run, from an empty server and an empty gateway. */
export async function offsiteRun(context: Context, corpus: Corpus, run: number): Promise<void> {
  const home = join(context.dir, "run");
  rmSync(home, { recursive: true, force: true });
  mkdirSync(home, { recursive: true });
  corpus.revert();
  await withS3Server(context.dir, async (server) => {
    const own = await holdfast.create(join(home, PeerName.holdfast));
    try {
      const rclone = rcloneWith(server, home);
      const offsite: Offsite = { context, corpus, server, rclone, home, own, inTurn: inTurn(run) };
      await measureFirst(offsite);
      await own.backup(corpus.image);
      await narrated(context.say, "replicating the image", () => own.admin("replica", "run", OFFSITE));
      await measureReplicate(offsite);
      await measureEvicted(offsite);
    } finally {
      await own.close();
    }
  });
  rmSync(home, { recursive: true, force: true });
}

function inTurn(run: number): Offsite["inTurn"] {
  return async (ours, theirs) => {
    for (const turn of run % 2 === 0 ? [ours, theirs] : [theirs, ours]) await turn();
  };
}

/** The first backup: by restic into a bucket; by ours until `replica run` says that all of it is there. */
async function measureFirst({ context, corpus, server, home, own, inTurn }: Offsite): Promise<void> {
  const { samples, say, caches } = context;
  await server.makeBucket(OFFSITE);
  const added = await addReplica(own, server, home, OFFSITE);
  say(added.stdout.trim());
  await inTurn(
    async () => {
      prepareCaches(caches, [corpus.tree], context.dir);
      await narrated(say, "first backup, holdfast", async () => {
        const { step, reported } = await own.backup(corpus.tree);
        const rest = await own.admin("replica", "run", OFFSITE);
        samples.add("offsite-first", PeerName.holdfast, step.seconds + rest.seconds);
        samples.addStep("offsite-backup", PeerName.holdfast, step);
        samples.addReported("offsite-backup", PeerName.holdfast, reported);
        samples.addUsage("offsite-first", PeerName.holdfast, rest);
      });
    },
    async () => {
      if (!context.peers.some(({ name }) => name === PeerName.restic)) return;
      await server.makeBucket("restic");
      prepareCaches(caches, [corpus.tree], context.dir);
      const step = await narrated(say, "first backup, restic", () =>
        backupToS3(join(home, "restic"), `${server.endpoint}/restic`, server.environment, corpus.tree),
      );
      samples.addStep("offsite-first", PeerName.restic, step);
    },
  );
}

/** All packs of the gateway to another bucket, and the same files by rclone. */
async function measureReplicate({ context, server, rclone, home, own, inTurn }: Offsite): Promise<void> {
  const { samples, say, caches } = context;
  const packs = packFolder(own);
  const bytes = bytesBelow(packs);
  await server.makeBucket(SECOND);
  await server.makeBucket("rclone");
  const note = (column: "holdfast" | "rclone", steps: readonly Measurement[]): void => {
    const seconds = steps.reduce((sum, step) => sum + step.seconds, 0);
    samples.add("replicate", column, bytes / seconds);
    for (const step of steps) samples.addUsage("replicate", column, step);
  };
  await inTurn(
    async () => {
      prepareCaches(caches, [packs], context.dir);
      await narrated(say, `replicating ${bytes} bytes, holdfast`, async () => {
        const added = await addReplica(own, server, home, SECOND);
        note(PeerName.holdfast, [added, await own.admin("replica", "run", SECOND)]);
      });
    },
    async () => {
      prepareCaches(caches, [packs], context.dir);
      const step = await narrated(say, "copying the same, rclone", () => rclone.copy(packs, "rclone"));
      note("rclone", [step]);
    },
  );
  await own.admin("replica", "remove", SECOND);
}

function addReplica(own: HoldfastRepository, server: Rgw, home: string, name: string): Promise<Measurement> {
  const keys = join(home, "s3-keys");
  const { accessKey, secretKey } = server;
  writeFileSync(keys, `[default]\naws_access_key_id = ${accessKey}\naws_secret_access_key = ${secretKey}\n`, {
    mode: 0o600,
  });
  return own.admin(
    ...["replica", "add", name, `s3://${name}/box`, "--endpoint", server.endpoint, "--region", "us-east-1"],
    ...["--path-style", "--credentials-file", keys, "--parallel", "4"],
  );
}

/** The folder of the closed packs of the gateway's only vault. */
function packFolder({ data }: HoldfastRepository): string {
  const found = readdirSync(data, { recursive: true, encoding: "utf8" }).filter((name) =>
    /(^|\/)packs$/.test(name),
  );
  if (found.length !== 1) throw new BenchFailure(`${data} has ${found.length} folders of packs instead of 1`);
  return join(data, found[0] ?? "");
}

function bytesBelow(folder: string): number {
  const names = readdirSync(folder, { recursive: true, encoding: "utf8" });
  return names
    .map((name) => statSync(join(folder, name)))
    .reduce((sum, stat) => sum + (stat.isFile() ? stat.size : 0), 0);
}
