// What packs and snapshots do not say of a vault: from its old database where that can be read, else from the copy that is kept beside it.
//
// A damaged LMDB file may end the process that reads it, so another one does (oldRowsProgram.ts), and only reads.

import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { extname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { isHoldfastError } from "../../../vault/errors.ts";
import { asArray, asHex, asInteger, asObject, asText, asTime, parseJson } from "../../../vault/jsonFields.ts";
import { limits } from "../../../vault/limits.ts";
import { Width } from "../../../vault/magic.ts";
import type { Snapshot } from "../../catalog/vaultCatalog.ts";
import type { PackPlace, PlaceProof } from "../../index/packPlaces.ts";
import { noRetention } from "../../replica/gatewayState/retentionPart.ts";
import { parseVaultPart, type VaultPart } from "../../replica/gatewayState/vaultPart.ts";

export type KnownPlace = {
  /** Name of the pack, hex. */
  readonly pack: string;
  readonly replica: string;
  readonly place: PackPlace;
};

export type KnownRows = {
  readonly part: VaultPart;
  /** Committed snapshots by id. Empty where that is not known. */
  readonly snapshots: ReadonlyMap<string, Snapshot>;
  /** Packs that had a name (hex), and whether their files were here. */
  readonly packs: ReadonlyMap<string, "closed" | "evicted">;
  readonly places: readonly KnownPlace[];
  /** Offsets of records that readers found wrong, by the name of the pack's file. */
  readonly wrong: ReadonlyMap<string, ReadonlySet<number>>;
  /** Whether the old database could be read. */
  readonly fromOld: boolean;
};

export const noPart: VaultPart = {
  changes: 0,
  items: [],
  definitions: [],
  needs: [],
  retention: noRetention,
};

const program = fileURLToPath(new URL(`./oldRowsProgram${extname(import.meta.url)}`, import.meta.url));
const answerBytesMax = 512 * 2 ** 20;
const waitMs = 600_000;

/**
 * Rows of the old database of a vault; undefined where there is none, or it cannot be read.
 * `key`: of an encrypted one.
 */
export async function oldRows(
  directory: string,
  vault: string,
  key?: string,
): Promise<KnownRows | undefined> {
  if (!existsSync(join(directory, "index", "data.mdb"))) return undefined;
  const text = await runProgram([directory, vault], key);
  if (text === undefined) return undefined;
  try {
    return parseRows(text, vault);
  } catch (error) {
    if (isHoldfastError(error)) return undefined;
    throw error;
  }
}

/** What the program writes, or undefined where it did not end as it should. */
async function runProgram(args: readonly string[], key: string | undefined): Promise<Buffer | undefined> {
  const child = spawn(process.execPath, [...process.execArgv, program, ...args], {
    stdio: ["pipe", "pipe", "ignore"],
    env: {},
    timeout: waitMs,
    killSignal: "SIGKILL",
  });
  child.stdin.on("error", () => undefined);
  child.stdin.end(key ?? "");
  const pieces: Buffer[] = [];
  let bytes = 0;
  child.stdout.on("data", (piece: Buffer) => {
    bytes += piece.length;
    if (bytes > answerBytesMax) child.kill("SIGKILL");
    else pieces.push(piece);
  });
  const status = await new Promise<number | null>((resolve) => {
    child.once("error", () => resolve(null));
    child.once("close", resolve);
  });
  return status === 0 ? Buffer.concat(pieces) : undefined;
}

const proofs: readonly PlaceProof[] = ["none", "checksum", "hashed"];

/** Parses the program's answer: what a damaged database says is outside text. @throws HoldfastError corrupt, limit-exceeded */
export function parseRows(text: Uint8Array, vault: string): KnownRows {
  const what = "rows of a database";
  const json = asObject(parseJson(text, what, answerBytesMax), what);
  const rowsMax = 2 ** 24;
  const part = parseVaultPart(Buffer.from(asText(json.part, "part")), vault);
  const snapshots = asArray(json.snapshots, "snapshots", rowsMax).map(parseSnapshot);
  const packs = asArray(json.packs, "packs", rowsMax).map((value): [string, "closed" | "evicted"] => {
    const row = asObject(value, "pack");
    return [asHex(row.name, "pack", 32), row.closed === true ? "closed" : "evicted"];
  });
  const places = asArray(json.places, "places", rowsMax).flatMap((value): KnownPlace[] => {
    const row = asObject(value, "place");
    const proof = proofs[asInteger(row.proof, "proof", 0, 2)] as PlaceProof;
    const provenMs = asInteger(row.provenMs, "time of a proof", 0);
    const place = { listed: row.listed === true, proof, provenMs };
    return [{ pack: asHex(row.pack, "pack", 32), replica: asHex(row.replica, "replica", 16), place }];
  });
  const inOpen = asArray(json.wrong, "wrong records", rowsMax).map((value) => {
    const { file, offset, need } = asObject(value, "wrong record");
    const place = { file: asText(file, "file"), offset: asInteger(offset, "offset", 0) };
    return { ...place, need: asObject(need, "need") };
  });
  const own = inOpen.map(({ need }) => need);
  const open = parseVaultPart(Buffer.from(JSON.stringify({ ...emptyPart, vault, needs: own })), vault).needs;
  const all = { ...part, needs: [...part.needs, ...open] };
  return {
    part: all,
    snapshots: new Map(snapshots.map((row) => [row.id, row])),
    packs: new Map(packs),
    places,
    wrong: wrongOf(part.needs, inOpen),
    fromOld: true,
  };
}

function parseSnapshot(value: unknown): Snapshot {
  const row = asObject(value, "snapshot");
  return {
    id: asHex(row.id, "snapshot id", 32),
    device: asHex(row.device, "device id", Width.deviceId),
    item: asHex(row.item, "item id", 16),
    group: asInteger(row.group, "group", 0, 0xffff_ffff),
    sequence: asInteger(row.sequence, "sequence", 1),
    keyEpoch: asInteger(row.keyEpoch, "key epoch", 1, 0xffff_ffff),
    root: asHex(row.root, "root", Width.id),
    received: asTime(row.received, "time"),
    incomplete: row.incomplete === true,
    bytes: asInteger(row.bytes, "bytes", 0, limits.snapshotBytesMax),
  };
}

const emptyPart = { format: "holdfast-vault-catalog", version: 1, changes: 0, items: [] };

/** By file. */
export function wrongOf(
  needs: VaultPart["needs"],
  inOpen: readonly { readonly file: string; readonly offset: number }[] = [],
): Map<string, Set<number>> {
  const wrong = new Map<string, Set<number>>();
  const named = needs.flatMap(({ pack, offset }) => (pack === null ? [] : [{ file: pack, offset }]));
  for (const { file, offset } of [...named, ...inOpen]) {
    wrong.set(file, (wrong.get(file) ?? new Set()).add(offset));
  }
  return wrong;
}
