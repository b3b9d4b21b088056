// Which records one path of a snapshot needs: the pages on the way to it, and what its entry names. For a vault that is unlocked.

import { toHex } from "../../../vault/bytes.ts";
import { ErrorCode, HoldfastError } from "../../../vault/errors.ts";
import type { VaultKeys } from "../../../vault/keys/vaultKeys.ts";
import { RecordType } from "../../../vault/magic.ts";
import { openRecord } from "../../../vault/record.ts";
import type { Entry } from "../../../vault/tree/entry.ts";
import { BranchPage, type LeafPage, parsePage } from "../../../vault/tree/page.ts";
import type { OpenVault } from "../../openVault.ts";

export type PathRecords = {
  /** Ids of the pages that a look-up of the path reads: these alone, not what else they name. */
  readonly pages: readonly Buffer[];
  /** Ids of records that are needed with all that is below them. */
  readonly roots: readonly Buffer[];
};

type Place = { readonly vault: OpenVault; readonly keys: VaultKeys; readonly group: number };

/** @throws HoldfastError not-found; chunk-missing, chunk-damaged, promised and others as reading fails */
export async function pathRecords(
  place: Place,
  root: Uint8Array,
  path: readonly Buffer[],
): Promise<PathRecords> {
  const pages: Buffer[] = [];
  let directory = Buffer.from(root);
  for (const [depth, name] of path.entries()) {
    const { leaf, entry } = await lookUp(place, directory, name, pages);
    const last = depth === path.length - 1;
    if (last) return { pages, roots: rootsOf(leaf, entry) };
    if (entry.child === undefined) throw noSuchPath(path);
    directory = Buffer.from(leaf.ref(entry.child.ordinal).id);
  }
  return { pages, roots: [directory] };
}

async function lookUp(
  place: Place,
  directory: Buffer,
  name: Buffer,
  pages: Buffer[],
): Promise<{ leaf: LeafPage; entry: Entry }> {
  for (let id = directory; ; ) {
    pages.push(id);
    const page = await readPage(place, id);
    if (page instanceof BranchPage) {
      const row = page.childFor(name);
      if (row < 0) throw noSuchPath([name]);
      id = Buffer.from(page.ref(page.child(row).ordinal).id);
      continue;
    }
    const entry = page.find(name);
    if (entry === undefined) throw noSuchPath([name]);
    return { leaf: page, entry };
  }
}

async function readPage({ vault, keys, group }: Place, id: Buffer): Promise<LeafPage | BranchPage> {
  for await (const record of vault.read(group, id)) {
    if (record instanceof HoldfastError) throw record;
    if (record === undefined) break;
    const expected = { keys, group, record, expectedId: id, expectedType: RecordType.directory };
    const { plaintext, refs } = openRecord(expected);
    return parsePage(plaintext, refs);
  }
  throw new HoldfastError(ErrorCode.chunkMissing, `directory page ${toHex(id)} is not here`);
}

/** What an entry names in its page. */
function rootsOf(leaf: LeafPage, { xattrs, content, child }: Entry): Buffer[] {
  const ordinals: number[] = [];
  if (xattrs.form === "record") ordinals.push(xattrs.ordinal);
  if (child !== undefined) ordinals.push(child.ordinal);
  if (content?.form === "pages") ordinals.push(content.ordinal);
  if (content?.form === "inline") {
    for (const extent of content.extents) if (!extent.hole) ordinals.push(extent.ordinal);
  }
  return ordinals.map((ordinal) => Buffer.from(leaf.ref(ordinal).id));
}

function noSuchPath(path: readonly Buffer[]): HoldfastError {
  return new HoldfastError(ErrorCode.notFound, `the snapshot has no ${path.map(String).join("/")}`, {
    next: "`holdfast agent ls SNAPSHOT:PATH` shows what there is.",
  });
}
