// The ring: the vault's root secrets sealed under E (docs/format.md section 4). Ids in it are hex.
import { fromHex, toHex } from "../bytes.ts";
import { ErrorCode, HoldfastError } from "../errors.ts";
import { asObject, asText, parseJson } from "../jsonFields.ts";
import { limits } from "../limits.ts";
import { Width } from "../magic.ts";
import { openBox, sealBox } from "./box.ts";
import { derive } from "./hkdf.ts";
import type { KeysDocument } from "./keysTypes.ts";
import type { VaultSecrets } from "./vaultKeys.ts";

/** What a wrap opens: the secrets, and E (16 bytes), which further wraps are made of. */
export type OpenedKeys = { readonly secrets: VaultSecrets; readonly e: Buffer };

/** Length of E. */
export const wrappingKeyBytes = 16;

function corrupt(what: string): HoldfastError {
  return new HoldfastError(ErrorCode.corrupt, `ring of the keys: ${what}`);
}

/** The context that the ring's box is bound to. */
export function ringContext(vault: string, epoch: number): string {
  return `holdfast/ring/${vault}/${epoch}`;
}

/** The key of the ring's box. */
export function ringKey(e: Uint8Array, vaultId: Uint8Array, epoch: number): Buffer {
  return derive(e, vaultId, "holdfast ring v1", epoch);
}

/** The ring's text: `{"s":"<64 hex>","epochs":{"1":"<64 hex>"}}`. */
export function encodeRing(secrets: VaultSecrets): Buffer {
  const epochs = Object.fromEntries([...secrets.epochs].map(([epoch, a]) => [String(epoch), toHex(a)]));
  return Buffer.from(JSON.stringify({ s: toHex(secrets.s), epochs }), "utf8");
}

/** The ring of a keys document (base64): the secrets under E, in their current epoch. */
export function sealRing(vault: string, e: Uint8Array, secrets: VaultSecrets): string {
  const { vaultId, currentEpoch } = secrets;
  const key = ringKey(e, vaultId, currentEpoch);
  const text = encodeRing(secrets);
  const ring = sealBox(key, ringContext(vault, currentEpoch), text).toString("base64");
  text.fill(0);
  key.fill(0);
  return ring;
}

function parseRing(text: Buffer, vaultId: Buffer, currentEpoch: number): VaultSecrets {
  const json = asObject(parseJson(text, "ring"), "ring");
  const rows = Object.entries(asObject(json.epochs, "epochs"));
  if (rows.length > limits.epochsMax)
    throw new HoldfastError(ErrorCode.limitExceeded, `ring of ${rows.length} epochs`);
  const epochs = new Map<number, Buffer>();
  for (const [name, value] of rows) {
    const epoch = Number(name);
    if (!/^[1-9]\d{0,9}$/.test(name) || epoch > 0xffff_ffff)
      throw corrupt("an epoch of the ring is not a number");
    epochs.set(epoch, fromHex(asText(value, "epoch key"), Width.key));
  }
  if (!epochs.has(currentEpoch)) throw corrupt(`the ring has no key for epoch ${currentEpoch}`);
  return { vaultId, s: fromHex(asText(json.s, "s"), Width.key), epochs, currentEpoch };
}

/**
 * Opens the ring of a keys document with E.
 * @throws HoldfastError corrupt, key-wrong, seal-invalid, limit-exceeded
 */
export function openRing(document: KeysDocument, e: Buffer): OpenedKeys {
  if (e.length !== wrappingKeyBytes) throw corrupt(`a wrap holds ${e.length} bytes, not ${wrappingKeyBytes}`);
  const vaultId = fromHex(document.vault, Width.vaultId);
  const key = ringKey(e, vaultId, document.epoch);
  const text = openBox(
    key,
    ringContext(document.vault, document.epoch),
    Buffer.from(document.ring, "base64"),
  );
  const secrets = parseRing(text, vaultId, document.epoch);
  text.fill(0);
  key.fill(0);
  return { secrets, e };
}
