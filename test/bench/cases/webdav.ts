// Snapshots over WebDAV: the image whole, pieces of it, and a listing. The peer is `rclone serve webdav` in front of restic's mount.

import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Corpus } from "../corpus/corpus.ts";
import { IMAGE_NAME } from "../corpus/image.ts";
import { BenchFailure } from "../failure.ts";
import { prepareCaches } from "../measure/caches.ts";
import { type Measurement, measure } from "../measure/programs.ts";
import { type HoldfastRepository, PeerName, type WebDav } from "../peers/peer.ts";
import { serveByRclone } from "../peers/rclone.ts";
import type { Context } from "./context.ts";
import { driveOf, onFreshMount, type Turn } from "./drive.ts";
import { rateOf } from "./reads.ts";

const RANGE_READS = fileURLToPath(new URL("../readers/rangeReads.ts", import.meta.url));
const READS = 1_000;
const READ_BYTES = 65_536;
const COUNT = "| grep -o '<D:response>' | wc -l";

/** The rows of one program that can serve WebDAV: Holdfast by itself, restic through rclone. */
export async function measureWebdav(
  context: Context,
  { image, imageBytes, flat }: Corpus,
  turn: Turn,
  own: HoldfastRepository | undefined,
): Promise<void> {
  if (turn.name === PeerName.restic) {
    await onFreshMount(context, driveOf(turn, image), async (mounted) => {
      const server = await serveByRclone(mounted, turn.dir);
      await served(server, () => measureRanges(context, turn.name, server, imageBytes));
    });
  }
  if (own === undefined || turn.repository !== own) return;
  const whole = await own.webdav(image);
  await served(whole, () => measureGet(context, whole, imageBytes));
  const pieces = await own.webdav(image);
  await served(pieces, () => measureRanges(context, turn.name, pieces, imageBytes));
  await own.backup(flat.path);
  await measureListing(context, "webdav-list", own, flat);
}

async function served(server: WebDav, work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } finally {
    await server.stop();
  }
}

/** GET of the whole image: bytes a second. */
async function measureGet(context: Context, server: WebDav, imageBytes: number): Promise<void> {
  prepareCaches(context.caches, [], context.dir);
  const step = await curl(context, server, IMAGE_NAME, "--output /dev/null --write-out %{size_download}");
  if (Number(step.stdout) !== imageBytes) throw new BenchFailure(`GET gave ${step.stdout} bytes`);
  context.samples.add("webdav-get", PeerName.holdfast, imageBytes / step.seconds);
  context.samples.addUsage("webdav-get", PeerName.holdfast, step);
}

/** Pieces of the image at random places: reads a second. */
async function measureRanges(
  context: Context,
  name: PeerName,
  server: WebDav,
  imageBytes: number,
): Promise<void> {
  prepareCaches(context.caches, [], context.dir);
  const { authorization, url, services } = server;
  const numbers = [imageBytes, READS, READ_BYTES].map(String);
  const env = authorization === undefined ? {} : { BENCH_AUTHORIZATION: authorization };
  const args = [RANGE_READS, `${url}${IMAGE_NAME}`, ...numbers, "ranges"];
  const step = await measure({ command: process.execPath, args, env, role: "client" }, services);
  context.samples.add("webdav-ranges", name, rateOf(step));
  context.samples.addUsage("webdav-ranges", name, step);
}

/** A listing of one folder. Throws BenchFailure when it has other entries than were backed up. */
export async function measureListing(
  context: Context,
  row: string,
  repository: HoldfastRepository,
  folder: { readonly path: string; readonly entries: number },
): Promise<void> {
  const server = await repository.webdav(folder.path);
  await served(server, async () => {
    prepareCaches(context.caches, [], context.dir);
    const step = await curl(context, server, "", "--request PROPFIND --header Depth:1", COUNT);
    const entries = Number(step.stdout) - 1;
    if (entries !== folder.entries)
      throw new BenchFailure(`PROPFIND shows ${entries} of ${folder.entries} entries`);
    context.samples.addStep(row, PeerName.holdfast, step);
  });
}

/** curl with its secrets in a file, as one step. */
async function curl(
  { dir }: Context,
  { url, authorization, services }: WebDav,
  name: string,
  options: string,
  then = "",
): Promise<Measurement> {
  const config = join(dir, "curl.conf");
  const header = authorization === undefined ? "" : `header = "Authorization: ${authorization}"\n`;
  writeFileSync(config, `${header}url = "${url}${name}"\n`, { mode: 0o600 });
  const line = `curl --silent --show-error --fail --insecure --config "$1" ${options} ${then}`;
  try {
    return await measure({ command: "sh", args: ["-c", line, "sh", config], role: "client" }, services);
  } finally {
    rmSync(config);
  }
}
