// Rotations and escrow keys, at the gateway: what it can check of them without keys, the order in which they count, and what becomes of keys
// that it holds for an unlocked vault (docs/concurrency.md, "New keys").
//
// Invariant: nobody who has access loses it, and nobody gets it, but whom the operation names: holders are compared with the document that there
// is, and devices with the catalog.

import { fromHex } from "../../vault/bytes.ts";
import { ErrorCode, HoldfastError } from "../../vault/errors.ts";
import { escrowHolders, parseKeysDocument, passwordKdf } from "../../vault/keys/keysDocument.ts";
import type { KeysDocument, KeysWrap } from "../../vault/keys/keysTypes.ts";
import { VaultKeys } from "../../vault/keys/vaultKeys.ts";
import { holderOf } from "../../vault/keys/wraps.ts";
import type { Vault } from "../catalog/vaults.ts";
import type { Gateway } from "../gateway.ts";
import type { AddedEscrow, KeysOperations, NewKeys, RotatedKeys, SecretsRequest } from "./keysOperations.ts";
import { requireNoBox } from "./requestChecks.ts";

/** @throws HoldfastError key-wrong where they are not this vault's, which would show every chunk as damaged */
export function keysOfVault({ id, metadataKey }: Vault, secrets: SecretsRequest): VaultKeys {
  const keys = new VaultKeys({
    vaultId: fromHex(id, 16),
    s: fromHex(secrets.s, 32),
    epochs: new Map(Object.entries(secrets.epochs).map(([epoch, a]) => [Number(epoch), fromHex(a, 32)])),
    currentEpoch: secrets.currentEpoch,
  });
  if (keys.hasEpoch(1) && keys.metadataKey.toString("base64") === metadataKey) return keys;
  keys.wipe();
  throw new HoldfastError(ErrorCode.keyWrong, "these are not the keys of this vault");
}

export class KeysAdministration implements KeysOperations {
  readonly #gateway: Gateway;

  constructor(gateway: Gateway) {
    this.#gateway = gateway;
  }

  rotate(vault: string, request: NewKeys): Promise<RotatedKeys> {
    return this.#rotate(vault, request, undefined);
  }

  removeEscrow(vault: string, publicKey: string, request: NewKeys): Promise<RotatedKeys> {
    return this.#rotate(vault, request, publicKey);
  }

  async addEscrow(id: string, keysDocument: unknown): Promise<AddedEscrow> {
    const row = this.#row(id);
    const document = parseKeysDocument(keysDocument);
    const made = escrowHolders(document).at(-1);
    if (made === undefined) throw new HoldfastError(ErrorCode.usage, "the keys document has no escrow key");
    const { generation } = await this.#replace(row, document, (current) => {
      if (document.epoch !== current.epoch || document.ring !== current.ring) throw otherChange("keys");
      sameWraps([...current.wraps.map(wrapText), wrapText(document.wraps.at(-1)!)], document);
      if (document.wraps.at(-1)?.kind !== "escrow") throw otherChange("wraps");
    });
    return { label: made.label, public: made.public, generation };
  }

  async #rotate(id: string, request: NewKeys, withoutEscrow: string | undefined): Promise<RotatedKeys> {
    const row = this.#row(id);
    const document = parseKeysDocument(request.keysDocument);
    const keys = request.secrets === undefined ? undefined : keysOfVault(row, request.secrets);
    try {
      if (keys !== undefined && keys.currentEpoch !== document.epoch) {
        throw new HoldfastError(ErrorCode.usage, "these secrets are not those of the keys document");
      }
      const { catalog } = this.#gateway;
      let unlocked: RotatedKeys["unlocked"] = "none";
      await this.#replace(
        row,
        document,
        (current) => this.#checkRotation(current, document, withoutEscrow),
        () => {
          unlocked = this.#gateway.unlocked.rotated(id, keys);
        },
      );
      const names = new Map(catalog.devices.list(row.account).map((device) => [device.id, device.name]));
      return {
        epoch: document.epoch,
        generation: document.generation,
        devices: document.wraps.flatMap((wrap) =>
          wrap.kind === "device" ? [names.get(wrap.device) ?? wrap.device] : [],
        ),
        escrows: escrowHolders(document).map(({ label }) => label),
        unlocked,
      };
    } finally {
      keys?.wipe();
    }
  }

  /** @throws HoldfastError not-found; forbidden at a box */
  #row(id: string): Vault {
    const { catalog, dataDir } = this.#gateway;
    requireNoBox(dataDir, "where its vaults and their keys belong", "Do that there.");
    const row = catalog.vaults.get(id);
    if (row === undefined) throw new HoldfastError(ErrorCode.notFound, "no such vault");
    return row;
  }

  /** Puts the document in the place of its predecessor, beside no other change of the account's keys. `counts` is called when it counts. */
  #replace(
    row: Vault,
    document: KeysDocument,
    check: (current: KeysDocument) => void,
    counts: () => void = () => undefined,
  ): Promise<KeysDocument> {
    const { catalog, keysTurns } = this.#gateway;
    return keysTurns.run(row.account, async () => {
      const vault = await this.#gateway.vault(row.id);
      await vault.replaceKeys((current) => {
        // Where it is not its successor, that is what is said.
        if (document.generation === current.generation + 1) check(current);
        return document;
      });
      counts();
      catalog.vaults.setKeysGeneration(row.id, document.generation);
      return document;
    });
  }

  #checkRotation(current: KeysDocument, next: KeysDocument, withoutEscrow: string | undefined): void {
    if (next.epoch !== current.epoch + 1) throw otherChange("epoch");
    const salt = (document: KeysDocument): string =>
      Buffer.from(passwordKdf(document)?.salt ?? []).toString("base64");
    // The login would ask for another password than the one that opens the keys.
    if (salt(next) !== salt(current)) throw otherChange("password");
    const { devices } = this.#gateway.catalog;
    const isOut = (wrap: KeysWrap): boolean => {
      if (wrap.kind === "escrow") return wrap.public === withoutEscrow;
      if (wrap.kind !== "device") return false;
      const device = devices.get(wrap.device);
      return device === undefined || device.revoked || device.publicKey !== wrap.public;
    };
    const escrows = escrowHolders(current).map(({ public: key }) => key);
    if (withoutEscrow !== undefined && !escrows.includes(withoutEscrow)) {
      throw new HoldfastError(ErrorCode.notFound, "the vault has no such escrow key");
    }
    sameWraps(current.wraps.filter((wrap) => !isOut(wrap)).map(holderText), next, holderText);
  }
}

/** All of a wrap but its box. */
function holderText(wrap: KeysWrap): string {
  const label = wrap.kind === "escrow" ? `${wrap.label}/${wrap.since}` : "";
  return `${holderOf(wrap)}/${"public" in wrap ? wrap.public : ""}/${label}`;
}

function wrapText(wrap: KeysWrap): string {
  return JSON.stringify(wrap);
}

/** @throws HoldfastError sequence-conflict where the document has not exactly these wraps */
function sameWraps(
  wanted: readonly string[],
  { wraps }: Pick<KeysDocument, "wraps">,
  text: (wrap: KeysWrap) => string = wrapText,
): void {
  const found = new Set(wraps.map(text));
  if (found.size !== wanted.length || wanted.some((each) => !found.has(each))) throw otherChange("wraps");
}

function otherChange(what: string): HoldfastError {
  return new HoldfastError(
    ErrorCode.sequenceConflict,
    `the new keys document does not follow the one there is: its ${what} would be other ones`,
    { next: "Fetch the keys document and the list of devices again, and repeat the change." },
  );
}
