// Everything evicted, and the image read on drives that must fetch it: front to back, and small reads at random places. GETs are counted by
// the server itself.

import { rmSync } from "node:fs";
import { join } from "node:path";
import { IMAGE_NAME } from "../corpus/image.ts";
import { BenchFailure } from "../failure.ts";
import { prepareCaches } from "../measure/caches.ts";
import { measure } from "../measure/programs.ts";
import { PeerName } from "../peers/peer.ts";
import { narrated } from "./context.ts";
import { type DriveCase, onFreshMount } from "./drive.ts";
import type { Offsite } from "./offsite.ts";
import { randomReads } from "./reads.ts";

const READ = 'cat "$1" | wc -c';
const PLAIN = "image";

/** The rows of evicted packs, beside rclone that reads the same image as one object of the same server. */
export async function measureEvicted(offsite: Offsite): Promise<void> {
  const { context, corpus, server, rclone, inTurn } = offsite;
  const { samples, say } = context;
  await evictAll(offsite);
  await server.makeBucket(PLAIN);
  await rclone.put(join(corpus.image, IMAGE_NAME), PLAIN);
  await inTurn(
    () => narrated(say, "evicted image front to back, holdfast", () => readThrough(offsite)),
    async () => {
      prepareCaches(context.caches, [], context.dir);
      const step = await narrated(say, "the same, rclone", () => rclone.cat(PLAIN, IMAGE_NAME));
      checkSize("rclone cat", step.stdout, corpus.imageBytes);
      samples.add("evicted-read", "rclone", corpus.imageBytes / step.seconds);
      samples.addUsage("evicted-read", "rclone", step);
    },
  );
  forgetBlocks(offsite);
  await onFreshMount(context, driveOf(offsite), async ({ root, pid }) => {
    const before = await server.gets();
    const step = await randomReads(join(root, IMAGE_NAME), new Map([["gateway", pid]]));
    const gets = (await server.gets()) - before;
    const { reads, seconds, mebibytes } = JSON.parse(step.stdout) as Record<string, number>;
    if (reads === undefined || seconds === undefined || mebibytes === undefined || gets === 0)
      throw new BenchFailure(`random reads of the evicted image: ${gets} GETs, ${step.stdout}`);
    samples.add("evicted-requests", PeerName.holdfast, gets / mebibytes);
    samples.add("evicted-random", PeerName.holdfast, reads / seconds);
    samples.addUsage("evicted-random", PeerName.holdfast, step);
    samples.addReported("evicted-requests", PeerName.holdfast, { gets, mebibytes });
    say(`${reads} reads touched ${mebibytes} MiB blocks and cost ${gets} GETs`);
  });
}

async function evictAll({ context, own }: Offsite): Promise<void> {
  prepareCaches(context.caches, [], context.dir);
  const step = await narrated(context.say, "evicting", () =>
    own.admin("gateway", "evict", "--keep", "0", "--json"),
  );
  const line = step.stdout.trim().split("\n").at(-1) ?? "";
  const { evicted_bytes: bytes, local_bytes: left } = JSON.parse(line) as Record<string, number>;
  if (!bytes || left !== 0) throw new BenchFailure(`evict --keep 0 ended with ${line}`);
  context.samples.add("evict", PeerName.holdfast, bytes / step.seconds);
  context.samples.addUsage("evict", PeerName.holdfast, step);
}

async function readThrough(offsite: Offsite): Promise<void> {
  const { context, corpus } = offsite;
  forgetBlocks(offsite);
  await onFreshMount(context, driveOf(offsite), async ({ root, pid }) => {
    const file = join(root, IMAGE_NAME);
    const reader = { command: "sh", args: ["-c", READ, "sh", file], role: "reader" };
    const step = await measure(reader, new Map([["gateway", pid]]));
    checkSize(file, step.stdout, corpus.imageBytes);
    context.samples.add("evicted-read", PeerName.holdfast, corpus.imageBytes / step.seconds);
    context.samples.addUsage("evicted-read", PeerName.holdfast, step);
  });
}

function driveOf({ own, corpus, home }: Offsite): DriveCase {
  const mount = (): ReturnType<DriveCase["mount"]> => own.mount(corpus.image, join(home, "mnt"));
  return { prefix: "", column: PeerName.holdfast, mount, services: own.services };
}

/** Nothing that was fetched before is there any more. */
function forgetBlocks({ own }: Offsite): void {
  rmSync(join(own.data, "cache"), { recursive: true, force: true });
}

function checkSize(what: string, printed: string, bytes: number): void {
  if (Number(printed) !== bytes) throw new BenchFailure(`${what} gave ${printed.trim()} bytes, not ${bytes}`);
}
