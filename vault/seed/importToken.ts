// How a datacentre shows a box that it may read its packs: a signature over the box's id (docs/protocol.md, "Boxes").
//
// It is good for one box and never ends: only that box sees it (its key is pinned before it is sent), and what it opens is what the
// box's own disk holds, sealed.
import { asBuffer } from "../bytes.ts";
import { isSignedBy, type SigningKey, signatureBytes } from "../keys/signature.ts";

const prefix = "hfi_";

function signedText(box: string): Buffer {
  return Buffer.from(`holdfast import v1\n${box}\n`);
}

/** The token for a box (gateway id, 32 hex digits), by the datacentre's key of homes. */
export function importToken(box: string, key: SigningKey): string {
  return prefix + key.sign(signedText(box)).toString("base64url");
}

/** Whether a datacentre (its key of homes, 64 hex digits) made this token for a box. */
export function isImportToken(token: string, box: string, datacentre: string): boolean {
  if (!token.startsWith(prefix)) return false;
  const signature = asBuffer(Buffer.from(token.slice(prefix.length), "base64url"));
  return signature.length === signatureBytes && isSignedBy(datacentre, signedText(box), signature);
}
