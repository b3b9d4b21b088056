// Good copies from replicas, for what a scrub found damaged or missing. Nothing is replaced by bytes that do not have the right hash.

import { join } from "node:path";
import { fromHex, toHex } from "../../vault/bytes.ts";
import { type HoldfastError, isHoldfastError } from "../../vault/errors.ts";
import { limits } from "../../vault/limits.ts";
import { snapshotId } from "../../vault/snapshot.ts";
import type { Gateway } from "../gateway.ts";
import type { OpenVault } from "../openVault.ts";
import { namedKey, vaultFolder } from "../replica/keys.ts";
import { writeFileDurably } from "../store/files.ts";
import type { HealOutcome, HealPort } from "./scrubOne.ts";

export class ReplicaHealing implements HealPort {
  readonly #gateway: Pick<Gateway, "catalog" | "elsewhere" | "vaultDirectory">;

  constructor(gateway: Pick<Gateway, "catalog" | "elsewhere" | "vaultDirectory">) {
    this.#gateway = gateway;
  }

  async pack(vault: OpenVault, ordinal: number, signal: AbortSignal): Promise<HealOutcome> {
    const { elsewhere } = vault.store;
    if (elsewhere === undefined || elsewhere.places.of(ordinal).length === 0) {
      return { none: "no replica has this pack" };
    }
    try {
      const from = await elsewhere.moves.replaceLocal(ordinal, signal);
      return from === undefined ? { none: "it was evicted meanwhile" } : { from };
    } catch (error) {
      return notHealed(error, signal);
    }
  }

  async snapshot(vault: OpenVault, id: string, signal: AbortSignal): Promise<HealOutcome> {
    const { catalog, elsewhere, vaultDirectory } = this.#gateway;
    const key = namedKey(vaultFolder(vault.id), "snapshots", fromHex(id, 32));
    let last: HealOutcome = { none: "there is no replica" };
    for (const replica of catalog.replicas.list()) {
      try {
        const object = await elsewhere.stores.use(replica.id, async (store) => {
          const found = await store.head(key, signal);
          if (found === undefined || found.bytes > limits.snapshotBytesMax) return undefined;
          return await store.getRange(key, 0, found.bytes, signal);
        });
        if (object === undefined) last = { none: `replica ${replica.name} does not have it` };
        else if (toHex(snapshotId(object)) !== id)
          last = { none: `the copy in replica ${replica.name} is damaged` };
        else {
          await writeFileDurably(join(vaultDirectory.call(this.#gateway, vault.id), "snapshots", id), object);
          return { from: replica.name };
        }
      } catch (error) {
        last = notHealed(error, signal);
      }
    }
    return last;
  }
}

/** A replica that does not answer, or a disk that is full, ends one healing; a scrub that was stopped ends all. */
function notHealed(error: unknown, signal: AbortSignal): HealOutcome {
  if (signal.aborted || !isHoldfastError(error)) throw error;
  return { none: (error as HoldfastError).message };
}
