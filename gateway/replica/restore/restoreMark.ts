// restore.json: says that a directory is a half-done restore-from, of what, and from which roots, so that the command can go on.
//
// Invariants
// - It is the first file of the directory, and goes away when gateway.json is there, which is the last one.
// - A restore that goes on takes the same roots: what is on disk from before is never mixed with another state.

import { randomBytes } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdir, readdir, readFile, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { toHex } from "../../../vault/bytes.ts";
import { ErrorCode, HoldfastError, isHoldfastError } from "../../../vault/errors.ts";
import { asHex, asInteger, asObject, asText, parseJson } from "../../../vault/jsonFields.ts";
import { restoreMarkName } from "../../dataDir.ts";
import { demandFileSystem, lookName } from "../../fileSystemNeeds.ts";
import { fileError, syncDirectory, writeFileDurably } from "../../store/files.ts";

const markName = restoreMarkName;

export type PinnedRoot = { readonly generation: number; readonly root: string };

export type RestoreMark = {
  readonly source: string;
  /** 32 hex digits. */
  readonly gateway: string;
  /** The new data directory's writer id in roots, 32 hex digits. */
  readonly writer: string;
  readonly state: PinnedRoot;
  /** By vault id. */
  readonly vaults: Readonly<Record<string, PinnedRoot>>;
};

/** A new writer's id. */
export function newWriter(): string {
  return toHex(randomBytes(16));
}

/**
 * Looks at the directory that a gateway is to be restored into: undefined when it is empty or missing, the mark when a restore began
 * there. Nothing is changed.
 * @throws HoldfastError exists for any other content, a gateway that is whole among it; data-dir-invalid for a damaged mark
 */
export async function readMark(path: string, source: string): Promise<RestoreMark | undefined> {
  const names = existsSync(path) ? await readdir(path) : [];
  // These are there from the first moment on.
  const first: readonly string[] = ["lock", lookName, `${markName}.tmp`];
  const left = names.filter((name) => !first.includes(name));
  if (left.length === 0) return undefined;
  if (!left.includes(markName) || left.includes("gateway.json")) {
    throw new HoldfastError(ErrorCode.exists, `${path} is not empty`, {
      next: "Choose a new directory; or run the gateway that is there.",
    });
  }
  const mark = parseMark(await readFile(join(path, markName)), path);
  if (mark.source === source) return mark;
  throw new HoldfastError(ErrorCode.exists, `${path} is a half-done restore from ${mark.source}`, {
    next: "Give the same address to go on with it, or another directory.",
  });
}

function parseMark(bytes: Uint8Array, path: string): RestoreMark {
  try {
    const json = asObject(parseJson(bytes, markName), markName);
    if (json.format !== "holdfast-restore") throw new HoldfastError(ErrorCode.corrupt, `not a ${markName}`);
    const vaults = Object.entries(asObject(json.vaults, "vaults"));
    return {
      source: asText(json.source, "source"),
      gateway: asHex(json.gateway, "gateway id", 16),
      writer: asHex(json.writer, "writer", 16),
      state: parsePinned(json.state),
      vaults: Object.fromEntries(
        vaults.map(([vault, pinned]) => [asHex(vault, "vault id", 16), parsePinned(pinned)]),
      ),
    };
  } catch (error) {
    if (!isHoldfastError(error)) throw error;
    throw new HoldfastError(ErrorCode.dataDirInvalid, `${join(path, markName)} is damaged`, {
      next: "Remove the directory, and restore into a new one.",
      cause: error,
    });
  }
}

function parsePinned(value: unknown): PinnedRoot {
  const json = asObject(value, "root");
  return { generation: asInteger(json.generation, "generation", 1), root: asHex(json.root, "root", 32) };
}

/** Makes the directory, if it is not there, for a restore. @throws HoldfastError unsupported (its file system), disk-full, io-error */
export async function makeDirectory(path: string): Promise<void> {
  try {
    await mkdir(path, { recursive: true, mode: 0o700 });
    await syncDirectory(dirname(path));
    await demandFileSystem(path);
  } catch (error) {
    throw fileError(error, path);
  }
}

/** Writes the mark. @throws HoldfastError disk-full, io-error */
export function writeMark(path: string, mark: RestoreMark): Promise<void> {
  const text = JSON.stringify({ format: "holdfast-restore", version: 1, ...mark }, null, 1);
  return writeFileDurably(join(path, markName), Buffer.from(`${text}\n`));
}

/** Ends a restore: the directory is a gateway's. @throws HoldfastError io-error */
export async function removeMark(path: string): Promise<void> {
  try {
    await rm(join(path, markName), { force: true });
    await syncDirectory(path);
  } catch (error) {
    throw fileError(error, path);
  }
}
