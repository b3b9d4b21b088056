// Extent pages (docs/format.md, section 6.2).
import { Cursor, must, Refusal } from "./cursor.ts";
import type { Chunk } from "./record.ts";

/** A row: what it covers ends at `end`; `id` is null for a hole. */
export type ExtentRow = { readonly end: number; readonly id: Uint8Array | null; readonly offset: number };

const hole = 0xffff_ffff;

export function readExtentPage({ plaintext, references }: Chunk): { level: number; rows: ExtentRow[] } {
  const cursor = new Cursor(plaintext, "an extent page");
  const level = cursor.u8();
  if (level > 7) throw new Refusal("limit-exceeded", `page level ${level}`);
  cursor.zeros(3);
  const count = cursor.u32();
  must(count > 0 && count <= 1024, `${count} rows in an extent page`);
  let before = 0;
  let used = 0;
  const rows = Array.from({ length: count }, (): ExtentRow => {
    const end = cursor.count64();
    const ordinal = cursor.u32();
    const offset = cursor.u32();
    must(end > before, "an empty extent");
    before = end;
    if (ordinal === hole) {
      must(level === 0 && offset === 0, "a hole where there is none");
      return { end, id: null, offset };
    }
    const id = references[ordinal];
    must(id !== undefined && ordinal <= used, `ordinal ${ordinal} out of turn`);
    if (ordinal === used) used++;
    must(level === 0 || offset === 0, "an offset into a page");
    return { end, id, offset };
  });
  cursor.end();
  must(used === references.length, "a page has references that no row names");
  return { level, rows };
}
