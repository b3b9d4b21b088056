// Reads a whole snapshot out of a MemoryGateway, the slow and obvious way, and the same facts from a real folder.

import { createHash } from "node:crypto";
import { lstatSync, readdirSync, readFileSync, readlinkSync } from "node:fs";
import { toHex } from "../../../vault/bytes.ts";
import { hashSmallFile } from "../../../vault/fileHash.ts";
import { RecordType } from "../../../vault/magic.ts";
import { openRecord } from "../../../vault/record.ts";
import { openSnapshot } from "../../../vault/snapshot.ts";
import { type Entry, EntryKind } from "../../../vault/tree/entry.ts";
import { parseExtentPage } from "../../../vault/tree/extentPage.ts";
import { BranchPage, type LeafPage, parsePage } from "../../../vault/tree/page.ts";
import { type MemoryGateway, testKeys } from "./memoryGateway.ts";

/** What a path is: kind, mode, times and a hash of its content. */
export type Facts = Map<string, string>;

/** The bundle that was opened last: the files of a folder mostly share one. */
let lastData: { id: string; plaintext: Buffer } | undefined;

function openData(gateway: MemoryGateway, id: Uint8Array): Buffer {
  if (lastData?.id !== toHex(id)) {
    const { plaintext } = open(gateway, id, RecordType.data);
    lastData = { id: toHex(id), plaintext };
  }
  return lastData.plaintext;
}

function open(gateway: MemoryGateway, id: Uint8Array, type: RecordType): { plaintext: Buffer; refs: Buffer } {
  const record = gateway.records.get(toHex(id));
  if (record === undefined) throw new Error(`record ${toHex(id)} is missing`);
  return openRecord({ keys: testKeys, group: 0, record, expectedId: id, expectedType: type });
}

function content(gateway: MemoryGateway, page: LeafPage, entry: Entry): Buffer {
  const pieces: Buffer[] = [];
  const addExtents = (extents: NonNullable<Entry["content"]> & { form: "inline" }): void => {
    for (const extent of extents.extents) {
      if (extent.hole) pieces.push(Buffer.alloc(extent.length));
      else {
        const plaintext = openData(gateway, page.ref(extent.ordinal).id);
        pieces.push(plaintext.subarray(extent.offset, extent.offset + extent.length));
      }
    }
  };
  if (entry.content?.form === "inline") addExtents(entry.content);
  if (entry.content?.form === "pages") pieces.push(pagedContent(gateway, page.ref(entry.content.ordinal).id));
  return Buffer.concat(pieces);
}

function pagedContent(gateway: MemoryGateway, id: Uint8Array): Buffer {
  const { plaintext, refs } = open(gateway, id, RecordType.extents);
  const page = parseExtentPage(plaintext, refs);
  const pieces: Buffer[] = [];
  for (let row = 0; row < page.rowCount; row++) {
    const extent = page.extent(row);
    if (extent.hole) pieces.push(Buffer.alloc(extent.length));
    else if (page.level > 0) pieces.push(pagedContent(gateway, page.id(extent.ordinal)));
    else {
      const chunk = openData(gateway, page.id(extent.ordinal));
      pieces.push(chunk.subarray(extent.offset, extent.offset + extent.length));
    }
  }
  return Buffer.concat(pieces);
}

function walk(gateway: MemoryGateway, id: Uint8Array, path: string, facts: Facts): void {
  const { plaintext, refs } = open(gateway, id, RecordType.directory);
  const page = parsePage(plaintext, refs);
  for (let row = 0; row < page.rowCount; row++) {
    if (page instanceof BranchPage) {
      walk(gateway, page.ref(page.child(row).ordinal).id, path, facts);
      continue;
    }
    const entry = page.entry(row);
    const here = `${path}/${entry.name.toString("latin1")}`;
    const mtime = `${entry.mtime.seconds}.${entry.mtime.nanoseconds}`;
    if (entry.kind === EntryKind.directory && entry.child !== undefined) {
      facts.set(here, `dir ${entry.mode.toString(8)} ${mtime}`);
      walk(gateway, page.ref(entry.child.ordinal).id, here, facts);
    } else if (entry.kind === EntryKind.symlink) facts.set(here, `link ${entry.target?.toString("latin1")}`);
    else if (entry.kind !== EntryKind.file) facts.set(here, `kind ${entry.kind} ${entry.mode.toString(8)}`);
    else {
      const bytes = content(gateway, page, entry);
      if (entry.size !== bytes.length)
        throw new Error(`${here}: size ${entry.size}, content ${bytes.length}`);
      if (bytes.length > 0 && bytes.length <= 2 ** 20) {
        if (!hashSmallFile(testKeys.fileHashKey, bytes).equals(entry.fileHash as Buffer))
          throw new Error(`${here}: hash`);
      }
      facts.set(here, `file ${entry.mode.toString(8)} ${mtime} ${bytes.length} ${sha(bytes)}`);
    }
  }
}

function sha(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex").slice(0, 16);
}

/** Facts of everything in the newest snapshot below `top`. */
export function snapshotFacts(gateway: MemoryGateway, top: string): Facts {
  const object = gateway.snapshots.get(gateway.head ?? "");
  if (object === undefined) throw new Error("no snapshot");
  const facts: Facts = new Map();
  lastData = undefined;
  walk(gateway, openSnapshot(testKeys, object).header.root, "", facts);
  return new Map([...facts].filter(([path]) => path.startsWith(`${top}/`)));
}

/** File systems and inodes of files in the newest snapshot below `top`, by path. */
export function inodesOf(gateway: MemoryGateway, top: string): ReadonlyMap<string, string> {
  const object = gateway.snapshots.get(gateway.head ?? "");
  if (object === undefined) throw new Error("no snapshot");
  const inodes = new Map<string, string>();
  const visit = (id: Uint8Array, path: string): void => {
    const { plaintext, refs } = open(gateway, id, RecordType.directory);
    const page = parsePage(plaintext, refs);
    for (let row = 0; row < page.rowCount; row++) {
      if (page instanceof BranchPage) {
        visit(page.ref(page.child(row).ordinal).id, path);
        continue;
      }
      const { name, child, device, inode } = page.entry(row);
      const here = `${path}/${name.toString("latin1")}`;
      if (child !== undefined) visit(page.ref(child.ordinal).id, here);
      else if (here.startsWith(`${top}/`)) inodes.set(here, `${device}:${inode}`);
    }
  };
  visit(openSnapshot(testKeys, object).header.root, "");
  return inodes;
}

/** The id of a folder's page in the newest snapshot, in hex; it names everything below. */
export function folderId(gateway: MemoryGateway, path: string): string {
  const object = gateway.snapshots.get(gateway.head ?? "");
  if (object === undefined) throw new Error("no snapshot");
  let id: Uint8Array = openSnapshot(testKeys, object).header.root;
  for (const name of path.split("/").filter((part) => part !== "")) {
    const { plaintext, refs } = open(gateway, id, RecordType.directory);
    const page = parsePage(plaintext, refs);
    if (page instanceof BranchPage) throw new Error(`${path} is in a folder of many entries`);
    const child = page.find(Buffer.from(name))?.child;
    if (child === undefined) throw new Error(`${path} is not in the snapshot`);
    id = page.ref(child.ordinal).id;
  }
  return toHex(id);
}

/** The same facts of a real folder. */
export function folderFacts(top: string): Facts {
  const facts: Facts = new Map();
  const visit = (path: string): void => {
    for (const name of readdirSync(path)) {
      const here = `${path}/${name}`;
      const stat = lstatSync(here, { bigint: true });
      const seconds = stat.mtimeNs / 1_000_000_000n;
      const mtime = `${seconds}.${stat.mtimeNs - seconds * 1_000_000_000n}`;
      const mode = (Number(stat.mode) & 0o7777).toString(8);
      const key = Buffer.from(here).toString("latin1");
      if (stat.isDirectory()) {
        facts.set(key, `dir ${mode} ${mtime}`);
        visit(here);
      } else if (stat.isSymbolicLink())
        facts.set(key, `link ${Buffer.from(readlinkSync(here)).toString("latin1")}`);
      else {
        const bytes = readFileSync(here);
        facts.set(key, `file ${mode} ${mtime} ${bytes.length} ${sha(bytes)}`);
      }
    }
  };
  visit(top);
  return facts;
}
