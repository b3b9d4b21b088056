// Finds snapshots of a gateway by their ids or unique beginnings of them, as administrators write them.

import { ErrorCode, HoldfastError } from "../../vault/errors.ts";
import type { Snapshot } from "../catalog/vaultCatalog.ts";
import type { Gateway } from "../gateway.ts";
import type { OpenVault } from "../openVault.ts";

export type FoundSnapshot = { readonly vault: OpenVault; readonly snapshot: Snapshot };

/** Where to look, and how to tell people to look there. */
const places = {
  visible: { where: "", next: "`holdfast snapshot list` shows their ids." },
  trash: { where: " in the trash", next: "`holdfast gateway trash` shows what is there." },
} as const;

/**
 * The snapshots of these names, each once, in the order of the names.
 * @throws HoldfastError not-found; usage for what is no id, and for the beginning of several
 */
export async function findSnapshots(
  gateway: Gateway,
  written: readonly string[],
  place: keyof typeof places = "visible",
): Promise<FoundSnapshot[]> {
  const { where, next } = places[place];
  const prefixes = written.map((name) => {
    const prefix = name.toLowerCase();
    if (/^[0-9a-f]{1,64}$/.test(prefix)) return prefix;
    throw new HoldfastError(ErrorCode.usage, `not the id of a snapshot, or the beginning of one: ${name}`, {
      next,
    });
  });
  const found = new Map<string, FoundSnapshot[]>(prefixes.map((prefix) => [prefix, []]));
  for (const { id } of gateway.catalog.vaults.list()) {
    const vault = await gateway.vault(id);
    for (const snapshot of place === "trash" ? trashOf(vault) : vault.catalog.snapshots()) {
      for (const [prefix, all] of found) if (snapshot.id.startsWith(prefix)) all.push({ vault, snapshot });
    }
  }
  const chosen = new Map<string, FoundSnapshot>();
  for (const [prefix, [only, ...others]] of found) {
    if (only === undefined) {
      throw new HoldfastError(ErrorCode.notFound, `there is no snapshot ${prefix}${where}`, { next });
    }
    if (others.length > 0) {
      throw new HoldfastError(ErrorCode.usage, `${others.length + 1} snapshots begin with ${prefix}`, {
        next: "Write more of the id.",
      });
    }
    chosen.set(only.snapshot.id, only);
  }
  return [...chosen.values()];
}

/** What is in a vault's trash, newest commit first. */
export function trashOf({ catalog }: OpenVault): Snapshot[] {
  return catalog.allSnapshots().filter(({ id }) => catalog.retention.isInTrash(id));
}
