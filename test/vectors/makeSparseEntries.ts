// Makes the golden vector of sparse files with extent pages, once: `node test/vectors/makeSparseEntries.ts`. It refuses to overwrite.
import { writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { DirectoryWriter } from "../../vault/tree/directoryWriter.ts";
import type { EntryDraft } from "../../vault/tree/entry.ts";
import { PageStore, plainDraft } from "../vault/drafts.ts";
import { seededTable } from "../vault/seeded.ts";
import { type PageVector, sparseContent, toJson } from "./structures.ts";

function pagesOf(store: PageStore): PageVector[] {
  return [...store.pages].map(([id, { plaintext, refs }]) => ({
    id,
    plaintext: plaintext.toString("base64"),
    refs: refs.toString("base64"),
  }));
}

const extentStore = new PageStore();
const files = [
  { name: "nine", extents: 9, holeBytes: 1 },
  { name: "terabyte", extents: 2049, holeBytes: 2 ** 30 },
].map((file) => ({ ...file, written: sparseContent(file.extents, file.holeBytes, extentStore) }));

const entries: EntryDraft[] = files.map(({ name, written: { length, ...content } }) => ({
  ...plainDraft(name),
  size: length,
  content,
}));
const [nine] = entries;
if (nine?.content?.form !== "pages") throw new Error("nine extents need a page");
const { dataBytes: _, ...uncounted } = nine.content;
entries.push({ ...nine, name: Buffer.from("uncounted"), content: uncounted });
entries.push(plainDraft("bundled"));
entries.sort((a, b) => Buffer.compare(a.name, b.name));

const store = new PageStore();
const writer = new DirectoryWriter(seededTable("vector split"), store.emit);
for (const entry of entries) writer.add(entry);
writer.finish();

const vector = {
  about:
    "One directory page with files of content form 3, and beside them of forms 2 and 1. Extents of `files`: in turn 4,000 bytes at i % 96 of chunk SHA-256('sparse ' + i) and holes of holeBytes. Page ids as in directories.json.",
  files: files.map(({ written, ...file }) => ({
    ...file,
    size: written.length,
    dataBytes: written.form === "pages" ? written.dataBytes : undefined,
  })),
  entries: entries.map(toJson),
  pages: pagesOf(store),
  extentPages: pagesOf(extentStore),
};
writeFileSync(
  fileURLToPath(new URL("sparse-entries.json", import.meta.url)),
  `${JSON.stringify(vector, null, 1)}\n`,
  { flag: "wx" },
);
