// When each pack of a gateway was last looked at, and by what.

import { statSync } from "node:fs";
import { toHex } from "../../vault/bytes.ts";
import type { Gateway } from "../gateway.ts";
import { PackChecks } from "../index/packChecks.ts";
import { PackPlaces } from "../index/packPlaces.ts";
import { packSlices } from "../index/packSlices.ts";
import type { PackRow } from "../index/packTable.ts";
import { sortedInTurns } from "../index/sortedInTurns.ts";
import { closedPackPath } from "../store/packPaths.ts";

/** Rows of single packs that an answer has at most. */
export const statusRowsMax = 100_000;

export type PackStatus = {
  /** 32 hex digits. */
  readonly vault: string;
  /** 64 hex digits. */
  readonly pack: string;
  readonly state: "closed" | "evicted";
  readonly bytes: number;
  /**
   * written: nobody looked since it was made; scrub, check: read here; fetched: hashed while it came from a replica; replica: evicted, and proven in
   * the replica of that name.
   */
  readonly by: "written" | "scrub" | "check" | "fetched" | `replica ${string}`;
  /** RFC 3339; null where nobody knows. */
  readonly at: string | null;
  /** False where the last look found it damaged or missing. */
  readonly sound: boolean;
};

export type ScrubStatus = {
  readonly vaults: readonly {
    readonly vault: string;
    readonly packs: number;
    readonly bytes: number;
    /** That nobody looked at since they were written. */
    readonly unread: number;
    readonly damaged: number;
    /** When the pack that waits longest was looked at, RFC 3339. */
    readonly oldest: string | null;
  }[];
  /** What was not looked at for longest first. */
  readonly packs: readonly PackStatus[];
  readonly everyDays: number;
  readonly rate: string;
};

/** See ScrubOperations. */
export async function scrubStatus(gateway: Gateway, rows: number): Promise<ScrubStatus> {
  const vaults: ScrubStatus["vaults"][number][] = [];
  const packs: AgedStatus[] = [];
  for (const { id } of gateway.catalog.vaults.list()) {
    const { store } = await gateway.vault(id);
    const checks = new PackChecks(store.environment);
    const places = new PackPlaces(store.environment);
    const found: AgedStatus[] = [];
    for await (const some of packSlices(store.packs)) {
      for (const row of some)
        if (row.state !== "open") found.push(statusOf(gateway, id, row, checks, places));
    }
    const own = await sortedInTurns(found, byAge);
    vaults.push({
      vault: id,
      packs: own.length,
      bytes: own.reduce((sum, { status }) => sum + status.bytes, 0),
      unread: own.filter(({ status }) => status.by === "written").length,
      damaged: own.filter(({ status }) => !status.sound).length,
      oldest: own[0]?.status.at ?? null,
    });
    packs.push(...own.slice(0, rows));
  }
  const { scrubEveryDays, scrubRate } = gateway.dataDir.settings;
  const oldest = (await sortedInTurns(packs, byAge)).slice(0, rows).map(({ status }) => status);
  return { vaults, packs: oldest, everyDays: scrubEveryDays, rate: scrubRate };
}

/** `atMs`: when it was looked at, milliseconds since 1970; 0 where nobody knows. */
type AgedStatus = { readonly status: PackStatus; readonly atMs: number };

function byAge(one: AgedStatus, other: AgedStatus): number {
  return one.atMs - other.atMs;
}

function statusOf(
  gateway: Gateway,
  vault: string,
  row: PackRow,
  checks: PackChecks,
  places: PackPlaces,
): AgedStatus {
  const name = row.name as Uint8Array;
  const state = row.state === "evicted" ? "evicted" : "closed";
  const facts = { vault, pack: toHex(name), state, bytes: row.bytes } as const;
  const aged = (by: PackStatus["by"], atMs: number, sound: boolean): AgedStatus => {
    const at = atMs > 0 ? new Date(atMs).toISOString() : null;
    return { status: { ...facts, by, at, sound }, atMs: Math.max(0, atMs) };
  };
  if (state === "evicted") {
    const newest = places
      .of(row.ordinal)
      .toSorted((a, b) => b.place.provenMs - a.place.provenMs)
      .at(0);
    const replica = newest === undefined ? "none" : gateway.elsewhere.stores.nameOf(newest.replica);
    const isProven = newest?.place.proof === "hashed" && newest.place.listed;
    return aged(`replica ${replica}`, newest?.place.provenMs ?? 0, isProven === true);
  }
  const check = checks.get(row.ordinal);
  if (check !== undefined) return aged(check.by, check.atMs, check.sound);
  const file = statSync(closedPackPath(gateway.vaultDirectory(vault), Buffer.from(name)), {
    throwIfNoEntry: false,
  });
  return aged("written", file?.mtimeMs ?? 0, file !== undefined);
}
