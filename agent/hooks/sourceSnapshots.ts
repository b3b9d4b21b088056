// Makes the snapshots of a run's sources, and removes them (docs/hooks.md, "Contract of create and remove scripts").
//
// Invariant: a snapshot is in the journal from before its create script is started until its remove script said that nothing is left.

import { randomBytes } from "node:crypto";
import { existsSync, lstatSync, mkdirSync, readFileSync, realpathSync, rmdirSync } from "node:fs";
import { join } from "node:path";
import { ErrorCode, HoldfastError } from "../../vault/errors.ts";
import type { Platform } from "../platform/port.ts";
import { displayPath } from "../platform/systemError.ts";
import { openSnapshot, type SourceSnapshot } from "../source/standIns.ts";
import { makeStateDirectory } from "../state/stateDirectory.ts";
import { type HookJournal, type OpenSnapshot, openSnapshotsMax } from "./hookJournal.ts";
import { type Hooks, type ScriptStage, type SnapshotScripts, scriptWords } from "./hooks.ts";
import type { HookEnd } from "./runHook.ts";
import type { Source } from "./sources.ts";

export type SnapshotPort = {
  readonly state: string;
  readonly journal: HookJournal;
  readonly platform: Platform;
  /** Runs a script with these variables besides; one that removes cannot be stopped. */
  readonly run: (
    stage: ScriptStage,
    words: readonly string[],
    variables: NodeJS.ProcessEnv,
    timeoutMs: number,
  ) => Promise<HookEnd>;
};

const pathBytesMax = 4096;
/** Of a remove script that left nothing, and tells that the backup read what was no snapshot any more. */
const brokenStatus = 3;

/** @throws HoldfastError hook-failed, not-found, cancelled; disk-full, io-error */
export async function makeSnapshot(
  port: SnapshotPort,
  source: Source,
  { scripts: wanted, timeoutMs }: NonNullable<Hooks["snapshot"]>,
): Promise<SourceSnapshot> {
  const scripts = wanted === "auto" ? scriptsFor(source) : wanted;
  refuseWithoutRoot(scripts, source);
  const { journal } = port;
  if (journal.snapshots.length >= openSnapshotsMax)
    throw failed(`${openSnapshotsMax} snapshots of sources are there already, or left over`);
  const name = `holdfast-${randomBytes(8).toString("hex")}`;
  const open: OpenSnapshot = { name, source: wordOf(source.path), scripts, timeoutMs, path: null };
  journal.setSnapshot(open);
  makeStateDirectory(join(port.state, "snapshots"));
  mkdirSync(folderOf(port.state, name), { mode: 0o700 });
  const words = scriptWords(scripts, "create", open.source);
  const end = await port.run("create", words, variablesOf(port.state, open), timeoutMs);
  const what = `no snapshot of ${displayPath(source.path)}`;
  if (end.failed !== undefined) throw failed(`${what}: its create script ${end.failed}`);
  const path = printedPath(end.stdout, what);
  journal.setSnapshot({ ...open, path });
  const taken = { source: source.path, identity: source.identity, snapshot: realPath(path, what) };
  port.platform.close(openSnapshot(port.platform, taken).handle);
  for (const named of source.named) checkHolds(taken, named);
  return taken;
}

/**
 * Runs the remove script of a snapshot in the journal, and takes it out there. What failed, as a sentence, or undefined.
 * @throws HoldfastError disk-full, io-error
 */
export async function removeSnapshot(port: SnapshotPort, open: OpenSnapshot): Promise<string | undefined> {
  const folder = folderOf(port.state, open.name);
  makeStateDirectory(folder);
  const words = scriptWords(open.scripts, "remove", open.path ?? "");
  const end = await port.run("remove", words, variablesOf(port.state, open), open.timeoutMs);
  const what = `the snapshot ${open.name} of ${open.source} is not removed`;
  const wasBroken = end.status === brokenStatus;
  if (end.failed !== undefined && !wasBroken) return `${what}: its remove script ${end.failed}`;
  try {
    if (existsSync(folder)) rmdirSync(folder);
  } catch (error) {
    return `${what}: ${(error as Error).message}`;
  }
  port.journal.removeSnapshot(open.name);
  return wasBroken
    ? `the snapshot of ${open.source} did not stay whole: its remove script ${end.failed}`
    : undefined;
}

/**
 * Whether snapshots are whole still, before what was read from them counts: where their room was used up, files are missing.
 * @throws HoldfastError hook-failed, cancelled
 */
export async function checkSnapshots(port: SnapshotPort, snapshots: readonly OpenSnapshot[]): Promise<void> {
  for (const open of snapshots.filter(({ scripts }) => scripts === "lvm")) {
    const words = scriptWords(open.scripts, "check", open.path ?? "");
    const { failed: how } = await port.run("check", words, variablesOf(port.state, open), open.timeoutMs);
    if (how !== undefined)
      throw failed(`the snapshot of ${open.source} did not stay whole: its check ${how}`);
  }
}

/** What a create script printed. @throws HoldfastError hook-failed */
export function printedPath(stdout: Buffer, what: string): string {
  let text: string;
  try {
    text = new TextDecoder("utf-8", { fatal: true }).decode(stdout);
  } catch {
    throw failed(`${what}: its create script printed bytes that are no text`);
  }
  const marker = "SNAPSHOT=";
  const [line, another] = text.split(/\r?\n/).filter((each) => each.startsWith(marker));
  if (line === undefined) throw failed(`${what}: its create script printed no line ${marker}<path>`);
  if (another !== undefined) throw failed(`${what}: its create script printed several lines ${marker}<path>`);
  const path = line.slice(marker.length);
  const wrong =
    path.startsWith("/") && !path.includes("\0") && !path.split("/").includes("..")
      ? Buffer.byteLength(path) > pathBytesMax
      : true;
  if (wrong)
    throw failed(
      `${what}: its create script printed ${JSON.stringify(path.slice(0, 200))}, no absolute path`,
    );
  return path;
}

function folderOf(state: string, name: string): string {
  return join(state, "snapshots", name);
}

function variablesOf(state: string, { name, source }: OpenSnapshot): NodeJS.ProcessEnv {
  return {
    HOLDFAST_SOURCE: source,
    HOLDFAST_SOURCE_SNAPSHOT: name,
    HOLDFAST_SOURCE_FOLDER: folderOf(state, name),
  };
}

/** What a source is on says how. @throws HoldfastError hook-failed */
function scriptsFor({ path, type, device }: Source): SnapshotScripts {
  if (type === "btrfs" || type === "zfs") return type;
  if (mapperOf(device)?.startsWith("LVM-")) return "lvm";
  throw failed(
    `no snapshot of ${displayPath(path)}: it is on ${type}, and on no logical volume`,
    "Use --snapshot fsfreeze, scripts of your own (--snapshot-create, --snapshot-remove), or none.",
  );
}

/** Before anything is noted that only root could take back. @throws HoldfastError hook-failed */
function refuseWithoutRoot(scripts: SnapshotScripts, { path }: Source): void {
  const isRoot = process.getuid?.() === 0;
  if (isRoot || (scripts !== "lvm" && scripts !== "fsfreeze")) return;
  throw failed(
    `no snapshot of ${displayPath(path)}: ${scripts} needs root, and this backup runs as user ${process.getuid?.()}, whose state directory it is`,
    "Nothing was backed up. Have the service run as root (holdfast service install agent --as-root): commands typed by root stay root's then.",
  );
}

/** Who made a device of the device mapper, and which. */
function mapperOf(device: string): string | undefined {
  try {
    return readFileSync(`/sys/dev/block/${device}/dm/uuid`, "latin1");
  } catch {
    return undefined;
  }
}

function realPath(path: string, what: string): Buffer {
  try {
    return realpathSync(path, { encoding: "buffer" }) as unknown as Buffer;
  } catch (error) {
    throw failed(`${what}: what its create script printed is not there (${(error as Error).message})`);
  }
}

/** @throws HoldfastError not-found for what the snapshot lacks */
function checkHolds({ source, snapshot }: SourceSnapshot, named: Buffer): void {
  const below = named.subarray(source.length === 1 ? 0 : source.length);
  try {
    lstatSync(Buffer.concat([snapshot, below]));
  } catch (cause) {
    throw new HoldfastError(
      ErrorCode.notFound,
      `the snapshot of ${displayPath(source)} has no ${displayPath(named)}`,
      {
        next: "Nothing was backed up. Run again where it was made just then.",
        cause,
      },
    );
  }
}

/** A path as a word for a script. @throws HoldfastError unsupported */
function wordOf(path: Buffer): string {
  const word = path.toString("utf8");
  if (Buffer.from(word).equals(path)) return word;
  throw new HoldfastError(
    ErrorCode.unsupported,
    `no snapshot of ${displayPath(path)}: its name is not UTF-8, and scripts cannot be given it`,
  );
}

function failed(message: string, next = "Nothing was backed up. See docs/hooks.md."): HoldfastError {
  return new HoldfastError(ErrorCode.hookFailed, message, { next });
}
