// Brings back everything of a vault that is still whole, from any damage (docs/repair.md).
//
// Invariants
// - Packs are the truth. Files are healed from replicas first; of what is left damaged, whole records are taken along; then the index is made to
//   agree with the packs, anew where it does not.
// - No damaged byte is deleted: files go to `damaged/`, but for those that a good copy with the hash of their name takes the place of.
// - A dry run changes nothing, and goes the same way up to the index, which it builds aside and throws away.

import { existsSync } from "node:fs";
import { join } from "node:path";
import { fromHex, toHex } from "../../../vault/bytes.ts";
import { Needs } from "../../catalog/needs.ts";
import { VaultCatalog } from "../../catalog/vaultCatalog.ts";
import type { Vault } from "../../catalog/vaults.ts";
import { ChunkIndex } from "../../index/chunkIndex.ts";
import { openIndexEnvironment, openIndexToRead } from "../../index/environment.ts";
import { PackPlaces } from "../../index/packPlaces.ts";
import { PackTable } from "../../index/packTable.ts";
import { readPackHeader } from "../../store/openNames.ts";
import type { VaultCheck } from "../check/checkTypes.ts";
import { checkVault } from "../check/checkVault.ts";
import type { KnownRows } from "../rebuild/knownRows.ts";
import { type HurtSnapshot, markHurt } from "../rebuild/markHurt.ts";
import { namedFiles, openPackFiles } from "../rebuild/packFile.ts";
import { knownRows, type RebuiltVault, rebuildVault, type VaultToRebuild } from "../rebuild/rebuildVault.ts";
import { salvagePack } from "../rebuild/salvage.ts";
import { packsToSettle } from "../rebuild/settlePacks.ts";
import { healDocuments } from "./healDocuments.ts";
import { type Found, type HealedPacks, type HealPort, healPacks, healSnapshots } from "./healFiles.ts";
import type { ReplicaCopies } from "./replicaCopies.ts";

export type RepairProgress = {
  readonly phase: "packs" | "index";
  readonly packs: number;
  readonly packsTotal: number;
  readonly bytes: number;
  readonly bytesTotal: number;
};

export type VaultToRepair = Omit<VaultToRebuild, "onProgress" | "unsound" | "copies" | "known"> & {
  readonly row: Vault;
  readonly replicas: ReplicaCopies;
  readonly reserveBytes: number;
  readonly onProgress: (progress: RepairProgress) => void;
};

export type RepairedVault = {
  /** 32 hex digits. */
  readonly vault: string;
  /** Files that were damaged or missing. */
  readonly found: readonly Found[];
  /** Replicas that could not be read. */
  readonly away: readonly { readonly replica: string; readonly why: string }[];
  /** Why the index was made anew, or would be; empty where it is right. */
  readonly reasons: readonly string[];
  /** What became of it then; null where it is right. */
  readonly rebuilt: Omit<RebuiltVault, "hurt" | "vault"> | null;
  readonly snapshots: number;
  readonly hurt: readonly HurtSnapshot[];
};

/** @throws HoldfastError disk-full, io-error; the signal's reason */
export async function repairVault(wanted: VaultToRepair): Promise<RepairedVault> {
  const { directory, vault, dryRun, signal, replicas } = wanted;
  const found: Found[] = [];
  await healDocuments({ ...wanted, onFound: (document) => found.push(document) });
  const known = await withReplicas(await knownRows(wanted), replicas);
  const progress = { phase: "packs", packs: 0, ...totalOf(directory), bytes: 0 } as const;
  const seen = { packs: 0, bytes: 0 };
  const port: HealPort = {
    ...{ vault, directory, dryRun, known, signal },
    copies: replicas,
    reserveBytes: wanted.reserveBytes,
    onFound: (file) => found.push(file),
    looked: (bytes) => {
      seen.packs++;
      seen.bytes += bytes;
      wanted.onProgress({ ...progress, ...seen });
    },
  };
  await healSnapshots(port);
  let packs = await healPacks(port, !known.fromOld);
  const before = await filesSay(directory, known, packs);
  const check = before.length === 0 ? await checkIndex(wanted) : undefined;
  const contradicts = check?.problems.some(({ kind }) => kind === "index" || kind === "pack") === true;
  const reasons = contradicts ? ["the index contradicts the packs"] : before;
  const away = replicas.away;
  if (reasons.length === 0 && check !== undefined) {
    return { vault, found, away, reasons, rebuilt: null, snapshots: check.snapshots, hurt: check.hurt };
  }
  let rebuilt = await rebuild(wanted, known, packs);
  // An old database may have lost rows of packs: what replicas list besides may be what is lacking.
  if (rebuilt.hurt.length > 0 && known.fromOld) {
    const healed = packs.healed;
    packs = await healPacks({ ...port, looked: () => undefined, onFound: onceMore(found) }, true);
    if (packs.healed > (dryRun ? healed : 0)) rebuilt = await rebuild(wanted, known, packs);
  }
  const { hurt, vault: _vault, ...rest } = rebuilt;
  return { vault, found, away, reasons, rebuilt: rest, snapshots: rebuilt.snapshots, hurt };
}

/** Files that were found before are not told again. */
function onceMore(found: Found[]): (file: Found) => void {
  return (file) => {
    if (!found.some(({ kind, name }) => kind === file.kind && name === file.name)) found.push(file);
  };
}

function totalOf(directory: string): { packsTotal: number; bytesTotal: number } {
  const { packs, bytes } = packsToSettle(directory);
  return { packsTotal: packs, bytesTotal: bytes };
}

/** What the vault's own directory does not say, replicas may: names of items, when snapshots were received, and where evicted packs are. */
async function withReplicas(known: KnownRows, replicas: ReplicaCopies): Promise<KnownRows> {
  const told = new Set(known.places.map(({ pack, replica }) => `${pack} ${replica}`));
  const listed = { listed: true, proof: "none", provenMs: 0 } as const;
  const places = replicas.packs().flatMap(({ name }) =>
    replicas
      .listing(name)
      .filter((replica) => !told.has(`${name} ${replica}`))
      .map((replica) => ({ pack: name, replica, place: listed })),
  );
  const isBare = !known.fromOld && known.part.items.length === 0;
  const part = (isBare ? await replicas.part() : undefined) ?? known.part;
  return { ...known, part, places: [...known.places, ...places] };
}

/** Why an index that was made of other files cannot be right. */
async function filesSay(directory: string, known: KnownRows, packs: HealedPacks): Promise<string[]> {
  const reasons: string[] = [];
  if (!known.fromOld) {
    reasons.push(
      existsSync(join(directory, "index", "data.mdb")) ? "the index cannot be read" : "the index is gone",
    );
  }
  if (packs.unsound.size > 0) reasons.push("packs are damaged, and no replica has them");
  if (packs.gone > 0) reasons.push("packs are missing, and no replica has them");
  const strange = namedFiles(directory, "packs").some(({ name }) => !known.packs.has(toHex(name)));
  if (known.fromOld && strange) reasons.push("there are packs that the index does not know");
  let openLost = false;
  for (const { path, mtimeMs } of openPackFiles(directory)) {
    const whole = await salvagePack(path, mtimeMs, undefined, undefined);
    // Closed as it is, a pack without its header would be a damaged one.
    openLost ||= whole !== undefined && (whole.lostBytes > 0 || readPackHeader(path) === undefined);
  }
  if (openLost) reasons.push("an open pack is damaged");
  return reasons;
}

/** Holds the index that is there against the packs, and marks snapshots that lack what is on the need-list. */
async function checkIndex(wanted: VaultToRepair): Promise<VaultCheck> {
  const { directory, vault, key, signal, dryRun, replicas } = wanted;
  const tables = checkTables(directory, key, dryRun);
  try {
    const check = await checkVault({
      ...{ vault, directory, tables, signal },
      flush: async () => undefined,
      isHashed: () => false,
      throttle: async () => undefined,
      onHashed: () => undefined,
      onProgress: () => undefined,
    });
    if (dryRun) return check;
    for (const { kind, name } of check.problems) {
      if (kind === "place") notePlaces(tables, name, replicas.listing(name));
    }
    if (check.hurt.length === 0) return check;
    const ids = new Set(check.hurt.map(({ id }) => id));
    const snapshots = tables.catalog.allSnapshots().filter(({ id }) => ids.has(id));
    await markHurt(tables, snapshots, signal);
    return check;
  } finally {
    await tables.environment.close();
  }
}

/** The tables of the index that is there. Opened to write, LMDB may write. */
function checkTables(directory: string, key: string | undefined, dryRun: boolean) {
  const environment = (dryRun ? openIndexToRead : openIndexEnvironment)(join(directory, "index"), key);
  const index = new ChunkIndex(environment);
  const catalog = new VaultCatalog(environment);
  const needs = new Needs(environment, index);
  const packs = new PackTable(environment);
  return { environment, index, packs, places: new PackPlaces(environment), catalog, needs };
}

function notePlaces(
  { packs, places }: ReturnType<typeof checkTables>,
  name: string,
  listing: readonly string[],
): void {
  const ordinal = packs.ordinalOf(fromHex(name, 32));
  if (ordinal === undefined) return;
  for (const replica of listing) places.put(ordinal, replica, { listed: true, proof: "none", provenMs: 0 });
}

function rebuild(wanted: VaultToRepair, known: KnownRows, packs: HealedPacks): Promise<RebuiltVault> {
  const { unsound, copies } = packs;
  const onProgress = (progress: Omit<RepairProgress, "phase">): void =>
    wanted.onProgress({ phase: "index", ...progress });
  return rebuildVault({ ...wanted, known, unsound, copies, onProgress });
}
