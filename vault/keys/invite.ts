// What an invite's secret opens (docs/format.md section 4, "Invite"): the token that the gateway knows by its hash, and E of each vault, in a box that
// the gateway keeps. The secret is in the invite's file alone.
import { fromHex } from "../bytes.ts";
import { Width } from "../magic.ts";
import { openBox, sealBox } from "./box.ts";
import { hkdf } from "./hkdf.ts";
import type { KeysDocument } from "./keysTypes.ts";
import { type OpenedKeys, openRing } from "./ring.ts";

/** Of an invite's id and of its secret. */
export const inviteIdBytes = 16;
export const inviteSecretBytes = 32;

type Place = Pick<KeysDocument, "account" | "vault" | "epoch">;

function derived(secret: Uint8Array, id: string, label: string): Buffer {
  return hkdf(secret, fromHex(id, inviteIdBytes), label, Width.key);
}

/** The token that the invite's holder shows. */
export function inviteToken(secret: Uint8Array, id: string): string {
  return `hfv_${derived(secret, id, "holdfast invite token v1").toString("base64url")}`;
}

function inviteContext({ account, vault, epoch }: Place, id: string): string {
  return `holdfast/invite/${account}/${vault}/${epoch}/${id}`;
}

/** E of a vault for the holder of an invite. */
export function sealInviteBox(secret: Uint8Array, id: string, place: Place, e: Uint8Array): Buffer {
  const key = derived(secret, id, "holdfast invite key v1");
  const box = sealBox(key, inviteContext(place, id), e);
  key.fill(0);
  return box;
}

/**
 * Opens a keys document with what the gateway kept for an invite.
 * @throws HoldfastError key-wrong, seal-invalid (also where the document is in another epoch), corrupt, truncated
 */
export function openWithInvite(
  document: KeysDocument,
  secret: Uint8Array,
  id: string,
  box: Uint8Array,
): OpenedKeys {
  const key = derived(secret, id, "holdfast invite key v1");
  try {
    return openRing(document, openBox(key, inviteContext(document, id), box));
  } finally {
    key.fill(0);
  }
}
