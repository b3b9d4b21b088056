// A vault's documents as a gateway shows them, opened with this device's key.

import type { GatewayClient } from "../../ingest/client/gatewayClient.ts";
import { ErrorCode, HoldfastError } from "../../vault/errors.ts";
import type { Operation } from "../../vault/features.ts";
import { fromBase64 } from "../../vault/jsonFields.ts";
import { publicKeyOf } from "../../vault/keys/box.ts";
import { escrowHolders, openWithDevice, parseKeysDocument } from "../../vault/keys/keysDocument.ts";
import { VaultKeys } from "../../vault/keys/vaultKeys.ts";
import type { EscrowHolder } from "../../vault/keys/wraps.ts";
import { parseVaultDocument, requireFeatures, type VaultDocument } from "../../vault/vaultDocument.ts";
import type { Enrollment } from "../state/enrollment.ts";
import type { Seen } from "../state/seen.ts";

export type OpenedVault = {
  readonly document: VaultDocument;
  readonly keys: VaultKeys;
  /** Who besides the owner and the account's devices can open them. */
  readonly escrows: readonly EscrowHolder[];
};

export type OpenVaultOptions = {
  readonly client: GatewayClient;
  readonly enrollment: Enrollment;
  readonly vault: string;
  readonly operation: Operation;
  /** What this machine saw, and notes. Undefined of a gateway that is not its home: a box has the document of the day on which it was made,
   * and what that wraps opens what is on board all the same. */
  readonly seen: Seen | undefined;
};

/** @throws HoldfastError key-wrong, unsupported, rollback-detected, protocol, token-invalid, gateway-unreachable */
export async function openVault(options: OpenVaultOptions): Promise<OpenedVault> {
  const { client, enrollment, vault, operation, seen } = options;
  const [vaultJson, keysJson] = await Promise.all([client.vaultDocument(vault), client.keysDocument(vault)]);
  const vaultDocument = parseVaultDocument(JSON.stringify(vaultJson));
  requireFeatures(vaultDocument, operation);
  const document = parseKeysDocument(keysJson);
  if (vaultDocument.id !== vault || document.vault !== vault || document.account !== enrollment.account.id) {
    throw new HoldfastError(ErrorCode.protocol, "the gateway sent the documents of another vault");
  }
  if (seen !== undefined && document.generation < seen.generation(vault)) {
    throw new HoldfastError(
      ErrorCode.rollbackDetected,
      `the gateway shows generation ${document.generation} of the vault's keys; this machine saw ${seen.generation(vault)}`,
      {
        next: "Find out whether the gateway was restored from an old copy before going on. If that was meant: `holdfast agent backup --accept-older`.",
      },
    );
  }
  const privateKey = fromBase64(enrollment.privateKey, "private key");
  const { secrets, e } = openWithDevice(document, enrollment.device.id, privateKey, publicKeyOf(privateKey));
  e.fill(0);
  seen?.noteGeneration(vault, document.generation);
  return { document: vaultDocument, keys: new VaultKeys(secrets), escrows: escrowHolders(document) };
}
