// The directories that hang in a leaf page.

import type { ChunkRef } from "../../vault/tree/entry.ts";
import type { LeafPage } from "../../vault/tree/page.ts";
import { emptyRowAttributes } from "../../vault/tree/rowAttributes.ts";

/** A page to read: its id and the bytes of its plaintext. */
export type PageRef = ChunkRef & { readonly id: Buffer };

/** Root pages of the subdirectories in a leaf page; the ids are views of it. */
export function subdirectories(page: LeafPage): PageRef[] {
  const found: PageRef[] = [];
  for (let row = 0; row < page.rowCount; row++) {
    const { child } = page.attributesAt(row, scratch);
    if (child >= 0) found.push(page.ref(child));
  }
  return found;
}

const scratch = emptyRowAttributes();
