// Scrubs one pack or one snapshot object: compares it with its name, puts a good copy of what is damaged or missing in its place where a replica
// has one, and notes when it was looked at.
//
// Invariants
// - It works on sealed bytes alone: no key is needed.
// - What is damaged here is replaced only by bytes that have the right hash (the port sees to it); without such a copy it stays as it is.
// - Of a damaged pack without such a copy, the records that are not whole answer "no" from then on, and agents are asked for them.

import { toHex } from "../../vault/bytes.ts";
import { ErrorCode, HoldfastError, isHoldfastError } from "../../vault/errors.ts";
import { PackChecks } from "../index/packChecks.ts";
import type { OpenVault } from "../openVault.ts";
import { loseRecords, regainRecords } from "./lostRecords.ts";
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

export type ScrubPort = {
  readonly vault: OpenVault;
  /** The vault's directory. */
  readonly directory: string;
  /** Undefined: report only. */
  readonly heal: HealPort | undefined;
  /** Milliseconds since 1970, now. */
  readonly nowMs: () => number;
  readonly signal: AbortSignal;
  readonly throttle: (bytes: number) => Promise<void>;
  readonly onProblem: (problem: ScrubProblem) => void;
};

/** @throws HoldfastError cancelled */
export function stopIfAsked(signal: AbortSignal): void {
  if (!signal.aborted) return;
  throw new HoldfastError(ErrorCode.cancelled, "the scrub was stopped", {
    next: "Run it again: it goes on where it stopped.",
  });
}

/** Whether a pack was found sound; one that is not local any more is passed over as if it were. @throws HoldfastError cancelled, io-error */
export async function packIsSound(port: ScrubPort, ordinal: number): Promise<boolean> {
  const { vault, directory, signal, heal, nowMs } = port;
  const pack = vault.store.packs.get(ordinal);
  if (pack?.state !== "closed" || pack.name === undefined) return true;
  const { condition, why } = await scrubPack(directory, pack, port).catch((error: unknown) => {
    stopIfAsked(signal);
    throw error;
  });
  // Garbage collection took it away meanwhile: its file is missing as it should be.
  if (vault.store.packs.get(ordinal) === undefined) return true;
  const checks = new PackChecks(vault.store.environment);
  const wasSound = checks.get(ordinal)?.sound !== false;
  if (condition === "sound") {
    if (!wasSound) await regainRecords(vault, ordinal);
    checks.put(ordinal, { by: "scrub", atMs: nowMs(), sound: true });
    return true;
  }
  const found = { vault: vault.id, kind: "pack", name: toHex(pack.name), condition } as const;
  const isHealed = await tell(port, found, why ?? condition, (from) => from.pack(vault, ordinal, signal));
  if (isHealed) await regainRecords(vault, ordinal);
  // A file that is not there may be on a disk that is not mounted, and one that cannot be read may be read again: that is for people to decide.
  else if (condition === "damaged" && heal !== undefined) await loseRecords(vault, directory, pack, signal);
  checks.put(ordinal, { by: isHealed ? "fetched" : "scrub", atMs: nowMs(), sound: isHealed });
  return false;
}

/** The same for a snapshot object. @throws HoldfastError io-error */
export async function snapshotIsSound(port: ScrubPort, id: string): Promise<boolean> {
  const { vault, signal } = port;
  const row = vault.catalog.snapshot(id);
  if (row === undefined) return true;
  try {
    await vault.snapshotObject(row);
    return true;
  } catch (error) {
    if (!isHoldfastError(error)) throw error;
    if (vault.catalog.snapshot(id) === undefined) return true;
    const condition = error.code === ErrorCode.chunkMissing ? "missing" : "damaged";
    const found = { vault: vault.id, kind: "snapshot", name: id, condition } as const;
    await tell(port, found, error.message, (from) => from.snapshot(vault, id, signal));
    return false;
  }
}

/** Heals what can be healed, and reports both. Answers whether it was healed. */
async function tell(
  { heal, onProblem }: ScrubPort,
  found: Pick<ScrubProblem, "vault" | "kind" | "name" | "condition">,
  why: string,
  put: (heal: HealPort) => Promise<HealOutcome>,
): Promise<boolean> {
  const outcome: HealOutcome = heal === undefined ? { none: "healing was not asked for" } : await put(heal);
  onProblem({
    ...found,
    why,
    healedFrom: "from" in outcome ? outcome.from : null,
    notHealed: "none" in outcome ? outcome.none : null,
  });
  return "from" in outcome;
}
