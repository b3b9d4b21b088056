// The chain of a vault's roots in a replica, as this gateway writes and reads it.

import { fromHex } from "../../../vault/bytes.ts";
import { vaultRootKey } from "../../../vault/replica/root.ts";
import type { Replica } from "../../catalog/replicas.ts";
import type { Gateway } from "../../gateway.ts";
import type { ReplicaStore } from "../replicaStore.ts";
import { RootChain } from "./rootChain.ts";

/** The chain, and the metadata key that its root key comes from. `roots`: where roots are; `vault`: 32 hex digits. */
export function vaultChain(
  gateway: Pick<Gateway, "catalog" | "now">,
  replica: Replica,
  roots: ReplicaStore,
  vault: string,
): { readonly chain: RootChain<"vault">; readonly metadataKey: Buffer } {
  const metadataKey = Buffer.from(gateway.catalog.vaults.get(vault)?.metadataKey ?? "", "base64");
  const chain = new RootChain({
    store: roots,
    chain: "vault",
    id: vault,
    key: vaultRootKey(metadataKey, fromHex(vault, 16)),
    replica: replica.id,
    memory: gateway.catalog.replicas,
    writer: replica.writer,
    now: gateway.now,
  });
  return { chain, metadataKey };
}
