// The secret of an account's authenticator as the catalog keeps it: sealed with a key of the gateway's secret.

import { fromHex } from "../../vault/bytes.ts";
import { openBox, sealBox } from "../../vault/keys/box.ts";
import { hkdf } from "../../vault/keys/hkdf.ts";

/** A gateway's id (32 hex digits) and secret (32 bytes). */
export type SecretOwner = { readonly id: string; readonly secret: Uint8Array };

function keyOf({ id, secret }: SecretOwner): Buffer {
  return hkdf(secret, fromHex(id, 16), "holdfast totp v1", 32);
}

function contextOf(account: string): string {
  return `holdfast/totp/${account}`;
}

/** Base64. */
export function sealTotpSecret(owner: SecretOwner, account: string, secret: Uint8Array): string {
  return sealBox(keyOf(owner), contextOf(account), secret).toString("base64");
}

/** @throws HoldfastError key-wrong, seal-invalid, truncated */
export function openTotpSecret(owner: SecretOwner, account: string, sealed: string): Buffer {
  return openBox(keyOf(owner), contextOf(account), Buffer.from(sealed, "base64"));
}
