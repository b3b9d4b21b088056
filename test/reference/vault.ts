// A vault's folder, opened: its keys, where its records stand, its snapshots (docs/format.md, sections 2, 3 and 9).
import { closeSync, existsSync, openSync, readdirSync, readFileSync, readSync } from "node:fs";
import { basename, join } from "node:path";
import { Cursor, hex, must, Refusal } from "./cursor.ts";
import {
  type Attribute,
  type Entry,
  type Extent,
  type Link,
  readAttributes,
  readDirectoryPage,
} from "./directoryPage.ts";
import { readExtentPage } from "./extentPage.ts";
import { type Credential, type Keys, openKeysDocument } from "./keys.ts";
import { type Place, scanPack } from "./pack.ts";
import { type Chunk, openRecord, types } from "./record.ts";
import type { ReplicaVault } from "./replica.ts";
import { openSnapshot, type Snapshot } from "./snapshot.ts";

type PlaceInFile = Place & { readonly file: string };

// biome-ignore lint/suspicious/noExplicitAny: JSON from outside, of which each used member is checked
function checkVaultDocument(document: any, folder: string): void {
  must(document.format === "holdfast-vault", "not a vault");
  if (document.version !== 1) throw new Refusal("unsupported", `vault version ${document.version}`);
  must(document.id === basename(folder), "vault.json is of another vault");
  for (const flag of document.features?.read ?? [])
    throw new Refusal("unsupported", `the vault needs ${flag}`);
}

function newestKeys(folder: string): string {
  const names = readdirSync(join(folder, "keys")).filter((name) => /^[0-9]{8}\.json$/.test(name));
  const newest = names.sort().at(-1);
  must(newest !== undefined, "the vault has no keys document");
  return readFileSync(join(folder, "keys", newest), "utf8");
}

function packFiles(folder: string): string[] {
  const inside = (name: string): string[] =>
    existsSync(join(folder, name)) ? readdirSync(join(folder, name)).map((child) => join(name, child)) : [];
  const closed = inside("packs").flatMap(inside);
  const open = inside("open").filter((name) => name.endsWith(".pack"));
  return [...closed.filter((name) => /[/\\][0-9a-f]{64}$/.test(name)), ...open].map((name) =>
    join(folder, name),
  );
}

/** A vault whose keys are open. */
export class Vault {
  readonly folder: string;
  readonly keys: Keys;
  /** Records of the same (group, id) may stand in several places: any good one will do. */
  readonly #places = new Map<string, PlaceInFile[]>();
  #last: { key: string; chunk: Chunk } | null = null;
  /** Null: those that are in the folder. */
  #snapshotNames: readonly string[] | null = null;

  /** Opens the folder `vaults/<id>` of a gateway. */
  static async open(folder: string, credential: Credential): Promise<Vault> {
    checkVaultDocument(JSON.parse(readFileSync(join(folder, "vault.json"), "utf8")), folder);
    const vault = new Vault(folder, await openKeysDocument(newestKeys(folder), credential));
    for (const file of packFiles(folder)) {
      for (const place of scanPack(readFileSync(file)).places) vault.#enter({ ...place, file });
    }
    return vault;
  }

  /** Opens a vault of a replica: what its newest root names, packs by their index segments. */
  static async ofReplica(replica: ReplicaVault, credential: Credential): Promise<Vault> {
    const { folder, document, keys, places, snapshots } = replica;
    checkVaultDocument(document, folder);
    const vault = new Vault(folder, await openKeysDocument(keys, credential));
    for (const [name, records] of places) {
      const file = join(folder, "packs", name.slice(0, 2), name);
      for (const place of records) vault.#enter({ ...place, file });
    }
    vault.#snapshotNames = snapshots.map(({ id }) => String(id));
    return vault;
  }

  private constructor(folder: string, keys: Keys) {
    this.folder = folder;
    this.keys = keys;
  }

  #enter(place: PlaceInFile): void {
    const key = `${place.group}/${place.id}`;
    this.#places.set(key, [...(this.#places.get(key) ?? []), place]);
  }

  /** How many different records were found. */
  get recordCount(): number {
    return this.#places.size;
  }

  has(group: number, id: string): boolean {
    return this.#places.has(`${group}/${id}`);
  }

  /** Opens a record from the first place that holds it whole. */
  chunk(group: number, id: Uint8Array, type: number): Chunk {
    const key = `${group}/${hex(id)}`;
    if (this.#last?.key === key && this.#last.chunk.type === type) return this.#last.chunk;
    let reason: unknown = new Refusal("not-found", `record ${hex(id)} is in no pack`);
    for (const { file, offset, length } of this.#places.get(key) ?? []) {
      try {
        const chunk = openRecord(readRange(file, offset, length), this.keys, group, { id, type });
        if (type === types.data) this.#last = { key, chunk };
        return chunk;
      } catch (error) {
        reason = new Refusal("corrupt", `record ${hex(id)}: ${(error as Error).message}`);
      }
    }
    throw reason;
  }

  /** All snapshots that open, oldest first within their item, and those that do not. */
  snapshots(): { snapshots: Snapshot[]; damaged: { name: string; reason: string }[] } {
    const folder = join(this.folder, "snapshots");
    const snapshots: Snapshot[] = [];
    const damaged: { name: string; reason: string }[] = [];
    for (const name of this.#snapshotNames ?? (existsSync(folder) ? readdirSync(folder) : [])) {
      if (!/^[0-9a-f]{64}$/.test(name)) continue;
      try {
        const snapshot = openSnapshot(Uint8Array.from(readFileSync(join(folder, name))), this.keys);
        must(snapshot.id === name, "the snapshot is not what its name says");
        snapshots.push(snapshot);
      } catch (error) {
        damaged.push({ name, reason: (error as Error).message });
      }
    }
    snapshots.sort((a, b) => a.item.localeCompare(b.item) || a.sequence - b.sequence);
    return { snapshots, damaged };
  }

  /** The entries of a directory, from its root page down, each page as it is needed. */
  *entries(group: number, root: Uint8Array, plainLength?: number): Generator<Entry> {
    yield* this.#pagesBelow(group, root, plainLength, null, null);
  }

  *#pagesBelow(
    group: number,
    id: Uint8Array,
    plainLength: number | undefined,
    level: number | null,
    lowest: Uint8Array | null,
  ): Generator<Entry, number> {
    const chunk = this.chunk(group, id, types.directory);
    checkLength(chunk, plainLength);
    const page = readDirectoryPage(chunk);
    must(level === null || page.level === level, "a page stands at the wrong level");
    if ("entries" in page) {
      must(level === null || page.entries.length > 0, "an empty page below another");
      must(lowest === null || same(page.entries[0]!.name, lowest), "a page starts with another name");
      yield* page.entries;
      return page.entries.length;
    }
    must(level !== null || page.below.length > 1, "a root of one page");
    must(lowest === null || same(page.below[0]!.lowest, lowest), "a page starts with another name");
    let total = 0;
    for (const { lowest: first, child, rows } of page.below) {
      const found = yield* this.#pagesBelow(group, child.id, child.plainLength, page.level - 1, first);
      must(found === rows, "a page says another number of entries than are below it");
      total += found;
    }
    return total;
  }

  /** The extents of a file in order. */
  extents(group: number, entry: Entry): Extent[] {
    const { content } = entry;
    if (content === undefined) return [];
    if (!("id" in content)) return [...content];
    const extents = this.#extentsBelow(group, content.id, content.plainLength, null, entry.size!);
    const dataBytes = extents.reduce((sum, { length, chunk }) => (chunk === null ? sum : sum + length), 0);
    must(content.dataBytes === undefined || content.dataBytes === dataBytes, "another count of data bytes");
    return extents;
  }

  #extentsBelow(
    group: number,
    id: Uint8Array,
    plainLength: number | undefined,
    level: number | null,
    length: number,
  ): Extent[] {
    const chunk = this.chunk(group, id, types.extents);
    checkLength(chunk, plainLength);
    const page = readExtentPage(chunk);
    must(level === null || page.level === level, "an extent page stands at the wrong level");
    must(page.rows.at(-1)!.end === length, "an extent page covers another length");
    let from = 0;
    return page.rows.flatMap(({ end, id: below, offset }) => {
      const covered = end - from;
      from = end;
      if (page.level > 0) return this.#extentsBelow(group, below!, undefined, page.level - 1, covered);
      return [{ length: covered, chunk: below === null ? null : { id: below, offset } }];
    });
  }

  attributes(group: number, { xattrs }: Entry): readonly Attribute[] {
    if (!("id" in xattrs)) return xattrs;
    const { id, plainLength }: Link = xattrs;
    const chunk = this.chunk(group, id, types.xattrs);
    checkLength(chunk, plainLength);
    const cursor = new Cursor(chunk.plaintext, "a list of xattrs");
    const list = readAttributes(cursor);
    cursor.end();
    return list;
  }

  /** The bytes of an extent that is no hole. */
  extentBytes(group: number, { length, chunk }: Extent): Uint8Array {
    must(chunk !== null, "a hole has no bytes");
    const { plaintext } = this.chunk(group, chunk.id, types.data);
    must(
      chunk.plainLength === undefined || plaintext.length === chunk.plainLength,
      "a chunk of another length",
    );
    must(chunk.offset + length <= plaintext.length, "an extent reaches beyond its chunk");
    return plaintext.subarray(chunk.offset, chunk.offset + length);
  }
}

function same(a: Uint8Array, b: Uint8Array): boolean {
  return Buffer.compare(a, b) === 0;
}

function checkLength(chunk: Chunk, plainLength: number | undefined): void {
  must(
    plainLength === undefined || chunk.plaintext.length === plainLength,
    "a record of another plain length",
  );
}

function readRange(file: string, offset: number, length: number): Uint8Array {
  const bytes = new Uint8Array(length);
  const fd = openSync(file, "r");
  try {
    must(readSync(fd, bytes, 0, length, offset) === length, "the pack ends within the record");
  } finally {
    closeSync(fd);
  }
  return bytes;
}
