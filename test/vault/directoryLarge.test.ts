import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { splitHash } from "../../vault/chunk/split.ts";
import { limits } from "../../vault/limits.ts";
import type { EntryDraft } from "../../vault/tree/entry.ts";
import { BranchPage, type LeafPage } from "../../vault/tree/page.ts";
import { PageStore, plainDraft, splitTable, writeDirectory } from "./drafts.ts";
import { seededId } from "./seeded.ts";

describe("a directory of 100,000 entries", () => {
  const names = Array.from(
    { length: 100_000 },
    (_, i) => `IMG_${seededId(`name ${i}`).toString("hex", 0, 6)}.jpeg`,
  );
  const entries = [...new Set(names)].sort().map((text) => plainDraft(text));
  const before = writeDirectory(entries);
  const leafSizes = (store: PageStore) =>
    [...store.pages.values()].flatMap(({ plaintext }) => (plaintext[0] === 0 ? [plaintext.length] : []));

  /** Pages of the edited directory that the old one does not have. */
  function newPages(edited: EntryDraft[]): number {
    const after = writeDirectory(edited);
    expect(after.rows).toBe(edited.length);
    return [...after.store.pages.keys()].filter((id) => !before.store.pages.has(id)).length;
  }

  test("has pages of sensible sizes and few levels", () => {
    const sizes = leafSizes(before.store);
    const mean = sizes.reduce((sum, size) => sum + size, 0) / sizes.length;
    expect(mean).toBeGreaterThan(8 * 1024);
    expect(mean).toBeLessThan(20 * 1024);
    expect(sizes.filter((size) => size < limits.pageBytesMin).length).toBeLessThanOrEqual(1);
    expect(before.store.page(before.id).level).toBe(2);
  });

  test("ends its pages where format.md says", () => {
    const leaves = [...before.store.leaves(before.id)];
    for (const [i, leaf] of leaves.slice(0, -1).entries()) {
      const last = leaf.nameAt(leaf.rowCount - 1);
      const next = leaves[i + 1]!.draft(0);
      const boundary = splitHash(last, splitTable) >>> 26 === 0;
      const full = writeDirectory([...rows(leaf), next]).store.pages.size > 1;
      expect(boundary || full).toBe(true);
      for (let row = 0; row < leaf.rowCount - 1; row++) {
        if (splitHash(leaf.nameAt(row), splitTable) >>> 26 !== 0) continue;
        const upTo = new PageStore();
        const { plainLength } = writeDirectory(rows(leaf).slice(0, row + 1), upTo);
        expect(upTo.pages.size === 1 && plainLength < limits.pageBytesMin).toBe(true);
      }
    }
  });

  function rows(leaf: LeafPage): EntryDraft[] {
    return Array.from({ length: leaf.rowCount }, (_, i) => leaf.draft(i));
  }

  test("rewrites few pages when one entry is changed, added or removed", () => {
    fc.assert(
      fc.property(fc.nat(entries.length - 1), fc.constantFrom("change", "add", "remove"), (at, edit) => {
        const edited = [...entries];
        const old = edited[at]!.name.toString();
        if (edit === "change") edited[at] = plainDraft(old, 1);
        else if (edit === "add") edited.splice(at + 1, 0, plainDraft(`${old}~`));
        else edited.splice(at, 1);
        expect(newPages(edited)).toBeLessThanOrEqual(16);
      }),
      { numRuns: 6 },
    );
  });

  test("is found by walking down from the root", () => {
    for (let i = 0; i < entries.length; i += 997) {
      const wanted = entries[i]!.name;
      let page = before.store.page(before.id);
      let steps = 1;
      while (page instanceof BranchPage) {
        page = before.store.page(page.ref(page.child(page.childFor(wanted)).ordinal).id);
        steps++;
      }
      expect(page.find(wanted)?.name).toEqual(wanted);
      expect(steps).toBe(3);
    }
    const root = before.store.page(before.id) as BranchPage;
    expect(root.childFor(Buffer.from("0"))).toBe(-1);
    let below = 0;
    for (let i = 0; i < root.rowCount; i++) below += root.child(i).rows;
    expect(below).toBe(entries.length);
  });
});
