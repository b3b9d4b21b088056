// A short name of a file's content, made from where its bytes are and never from the bytes: chunk ids name content, so equal places
// mean equal bytes. Equal bytes may have two tags (a bundle was formed anew); that costs a cache one transfer.

import { hash } from "node:crypto";
import { asBuffer } from "../../vault/bytes.ts";
import type { Content } from "./contentReader.ts";

/** 22 characters of base64url: 132 bits. */
const tagLength = 22;

/** The tag of a content of `size` bytes. */
export function contentTag(content: Content, size: number): string {
  let places = `holdfast content ${size}`;
  if (content?.form === "pages") places += ` pages ${textOf(content.id)}`;
  else {
    for (const extent of content?.extents ?? []) {
      places += extent.hole
        ? ` hole ${extent.length}`
        : ` data ${extent.length} ${extent.offset} ${textOf(extent.id)}`;
    }
  }
  // In one call: a listing asks for a hundred thousand of them.
  return hash("sha256", places, "base64url").slice(0, tagLength);
}

/** One character per byte. */
function textOf(id: Uint8Array): string {
  return asBuffer(id).toString("latin1");
}

/** The tag of a text that is no archived file. */
export function textTag(text: Uint8Array): string {
  return hash("sha256", text, "base64url").slice(0, tagLength);
}
