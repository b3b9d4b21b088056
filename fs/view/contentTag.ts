// A short name of a file's content, made from where its bytes are and never from the bytes: chunk ids name content, so equal places
// mean equal bytes. Equal bytes may have two tags (a bundle was formed anew); that costs a cache one transfer.

import { createHash } from "node:crypto";
import type { Content } from "./contentReader.ts";

/** 22 characters of base64url: 132 bits. */
const tagLength = 22;

/** The tag of a content of `size` bytes. */
export function contentTag(content: Content, size: number): string {
  const hash = createHash("sha256").update(`holdfast content\0${size}\0`);
  if (content?.form === "pages") hash.update("pages\0").update(content.id);
  else {
    for (const extent of content?.extents ?? []) {
      if (extent.hole) hash.update(`hole ${extent.length}\0`);
      else hash.update(`data ${extent.length} ${extent.offset}\0`).update(extent.id);
    }
  }
  return hash.digest("base64url").slice(0, tagLength);
}
