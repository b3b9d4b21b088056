// How the golden vectors of trees and packs write values as JSON, and the sparse files of one of them.
import { ExtentsWriter, type WrittenExtents } from "../../vault/tree/extentsWriter.ts";
import type { PageStore } from "../vault/drafts.ts";
import { seededId } from "../vault/seeded.ts";

/** A page of a tree: id in hex, bytes in base64. */
export type PageVector = { readonly id: string; readonly plaintext: string; readonly refs: string };

/** The value with bytes as base64 and bigints as decimal text. */
export function toJson(value: unknown): unknown {
  if (value instanceof Uint8Array) return Buffer.from(value).toString("base64");
  if (typeof value === "bigint") return value.toString();
  if (Array.isArray(value)) return value.map(toJson);
  if (value !== null && typeof value === "object") {
    return Object.fromEntries(Object.entries(value).map(([key, field]) => [key, toJson(field)]));
  }
  return value;
}

/** Content of `count` extents, in turn 4,000 bytes of chunks of 4,096 and holes of `holeBytes`. */
export function sparseContent(count: number, holeBytes: number, store: PageStore): WrittenExtents {
  const writer = new ExtentsWriter(store.emit);
  for (let i = 0; i < count; i++) {
    if (i % 2 === 1) writer.add({ hole: true, length: holeBytes });
    else
      writer.add({ hole: false, id: seededId(`sparse ${i}`), plainLength: 4096, offset: i % 96, length: 4000 });
  }
  return writer.finish();
}
