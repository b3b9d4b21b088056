// Scrubs one vault: reads every local pack and snapshot object, compares it with its name, and puts good copies of what is damaged or
// missing in its place where a replica has them.
//
// Invariants
// - It works on sealed bytes alone: no key is needed.
// - What is damaged here is replaced only by bytes that have the right hash (the port sees to it); without such a copy it stays as it is.
// - After each pack the cursor is durable. A scrub that was stopped goes on behind it; packs that were closed meanwhile are looked at too, since
//   their ordinals are higher.

import { toHex } from "../../vault/bytes.ts";
import { ErrorCode, HoldfastError, isHoldfastError } from "../../vault/errors.ts";
import type { OpenVault } from "../openVault.ts";
import { ScrubCursor, type ScrubState } from "./scrubCursor.ts";
import { type PackCondition, scrubPack } from "./scrubPack.ts";

/** What became of a thing that was not sound: where the good copy came from, or why there is none. */
export type HealOutcome = { readonly from: string } | { readonly none: string };

/** Puts good copies in place. Both check hashes before anything is replaced. */
export interface HealPort {
  pack(vault: OpenVault, ordinal: number, signal: AbortSignal): Promise<HealOutcome>;
  snapshot(vault: OpenVault, id: string, signal: AbortSignal): Promise<HealOutcome>;
}

/** Something that is not as it should be. */
export type ScrubProblem = {
  readonly vault: string;
  readonly kind: "pack" | "snapshot";
  /** SHA-256, hex. */
  readonly name: string;
  readonly condition: Exclude<PackCondition, "sound">;
  readonly why: string;
  /** Name of the replica that the good copy came from; null where it was not healed. */
  readonly healedFrom: string | null;
  /** Why it was not healed; null where it was. */
  readonly notHealed: string | null;
};

export type ScrubProgress = {
  readonly packs: number;
  readonly packsTotal: number;
  readonly bytes: number;
  readonly bytesTotal: number;
};

export type ScrubOptions = {
  readonly vault: OpenVault;
  /** The vault's directory. */
  readonly directory: string;
  /** Undefined: report only. */
  readonly heal: HealPort | undefined;
  /** Begin at the first pack even where an earlier scrub was stopped. */
  readonly fromStart: boolean;
  readonly nowMs: number;
  readonly signal: AbortSignal;
  readonly throttle: (bytes: number) => Promise<void>;
  readonly onProgress: (progress: ScrubProgress) => void;
  readonly onProblem: (problem: ScrubProblem) => void;
};

/**
 * Scrubs a vault from where the last scrub stopped to its end.
 * @returns what was looked at, from the beginning on where an earlier scrub was stopped
 * @throws HoldfastError cancelled, io-error
 */
export async function scrubVault(options: ScrubOptions): Promise<ScrubState> {
  const { vault, signal } = options;
  const cursor = new ScrubCursor(vault.store.environment);
  let state = cursor.begin(options.nowMs, options.fromStart);
  const rows = [...vault.store.packs.all()].filter((pack) => pack.state === "closed");
  const bytesTotal = rows.reduce((sum, pack) => sum + pack.bytes, 0);
  let bytes = rows.reduce((sum, pack) => sum + (pack.ordinal < state.next ? pack.bytes : 0), 0);
  for (const [index, known] of rows.entries()) {
    if (known.ordinal < state.next) continue;
    stopIfAsked(signal);
    // It may have been evicted since the list was made.
    const pack = vault.store.packs.get(known.ordinal);
    let problems = state.problems;
    if (pack?.state === "closed" && !(await packIsSound(options, pack.ordinal))) problems++;
    bytes += known.bytes;
    state = cursor.advance({ ...state, next: known.ordinal + 1, packs: state.packs + 1, problems });
    options.onProgress({ packs: index + 1, packsTotal: rows.length, bytes, bytesTotal });
  }
  for (const { id } of vault.catalog.allSnapshots()) {
    stopIfAsked(signal);
    if (!(await snapshotIsSound(options, id))) state = { ...state, problems: state.problems + 1 };
    state = { ...state, snapshots: state.snapshots + 1 };
  }
  cursor.end();
  return state;
}

function stopIfAsked(signal: AbortSignal): void {
  if (!signal.aborted) return;
  throw new HoldfastError(ErrorCode.cancelled, "the scrub was stopped", {
    next: "Run it again: it goes on where it stopped.",
  });
}

async function packIsSound(options: ScrubOptions, ordinal: number): Promise<boolean> {
  const { vault, directory, signal } = options;
  const pack = vault.store.packs.get(ordinal);
  if (pack?.name === undefined) return true;
  const { condition, why } = await scrubPack(directory, pack, options).catch((error: unknown) => {
    stopIfAsked(signal);
    throw error;
  });
  if (condition === "sound") return true;
  const found = { vault: vault.id, kind: "pack", name: toHex(pack.name), condition } as const;
  await tell(options, found, why ?? condition, (heal) => heal.pack(vault, ordinal, signal));
  return false;
}

async function snapshotIsSound(options: ScrubOptions, id: string): Promise<boolean> {
  const { vault, signal } = options;
  const row = vault.catalog.snapshot(id);
  if (row === undefined) return true;
  try {
    await vault.snapshotObject(row);
    return true;
  } catch (error) {
    if (!isHoldfastError(error)) throw error;
    const condition = error.code === ErrorCode.chunkMissing ? "missing" : "damaged";
    const found = { vault: vault.id, kind: "snapshot", name: id, condition } as const;
    await tell(options, found, error.message, (heal) => heal.snapshot(vault, id, signal));
    return false;
  }
}

/** Heals what can be healed, and reports both. */
async function tell(
  { heal, onProblem }: ScrubOptions,
  found: Pick<ScrubProblem, "vault" | "kind" | "name" | "condition">,
  why: string,
  put: (heal: HealPort) => Promise<HealOutcome>,
): Promise<void> {
  const outcome: HealOutcome = heal === undefined ? { none: "healing was not asked for" } : await put(heal);
  onProblem({
    ...found,
    why,
    healedFrom: "from" in outcome ? outcome.from : null,
    notHealed: "none" in outcome ? outcome.none : null,
  });
}
