// A tar archive (POSIX pax, in the dialect of GNU tar) as a sequence of bytes and of runs of content still to be read.
//
// The same tree always gives the same bytes, whose number follows from metadata alone. Names are bytes; times have nanoseconds; owners
// come by number and name; attributes, ACLs, hard links, devices and holes are kept. Access and change times are not in it.

import type { Attributes, View, ViewNode } from "../../view/view.ts";
import type { NoteTaker } from "../archiveTypes.ts";
import { type ContentPart, dataRuns, named } from "../content.ts";
import { HardLinks } from "../hardLinks.ts";
import type { WalkedNode } from "../walk.ts";
import { aclText } from "./aclText.ts";
import { PaxRecords, paxTime } from "./paxRecords.ts";
import { countRuns, mapBytes, type RunCount, sparseMap } from "./sparseMap.ts";
import { blockBytes, padding, splitName, TarType, type UstarFields, ustarBlock, ustarMax } from "./ustar.ts";

export type TarPart =
  | {
      readonly bytes: Buffer;
      /** With these bytes a member is complete; after content there is always such a part, of no bytes where it needs no padding. */
      readonly ends: boolean;
    }
  | ContentPart;

const ending = (bytes: Buffer): TarPart => ({ bytes, ends: true });
const going = (bytes: Buffer): TarPart => ({ bytes, ends: false });

/** @throws HoldfastError what reading metadata fails with, naming the path */
export async function* tarParts(
  view: View,
  nodes: AsyncGenerator<WalkedNode, void, void>,
  note: NoteTaker,
): AsyncGenerator<TarPart, void, void> {
  const links = new HardLinks();
  for await (const { node, path } of nodes) {
    const { attributes } = node;
    if (attributes.kind === "socket") {
      note("info", path, "a socket: left out, as tar has no place for it and only its program can make it");
      continue;
    }
    const place = links.place(attributes, path);
    if (place.state === "link") {
      yield ending(member(path, attributes, { type: TarType.hardLink, link: place.to }));
      continue;
    }
    if (place.state === "forgotten") {
      note("warning", path, "too many hard links to remember: this name is a file of its own in the archive");
    }
    const pax = new PaxRecords();
    await addXattrs(pax, view, node, path);
    if (attributes.kind === "file") yield* fileParts(view, node, path, pax);
    else {
      const link = attributes.kind === "symlink" ? await named(path, view.readlink(node)) : undefined;
      yield ending(member(path, attributes, { type: TarType[attributes.kind], link, pax }));
    }
  }
  yield ending(Buffer.alloc(2 * blockBytes));
}

async function* fileParts(
  view: View,
  node: ViewNode,
  path: Buffer,
  pax: PaxRecords,
): AsyncGenerator<TarPart, void, void> {
  const { attributes } = node;
  const size = Number(attributes.size);
  const count = await countRuns(view, node, path);
  const sparse = count.dataBytes < size;
  const stored = count.dataBytes + (sparse ? mapBytes(count, size) : 0);
  yield going(member(path, attributes, { type: TarType.file, size: stored, pax, sparse }));
  if (sparse) {
    for await (const piece of sparseMap(view, node, path, count)) yield going(piece);
  }
  yield* contentParts(view, node, path, count);
  yield ending(padding(stored));
}

async function* contentParts(
  view: View,
  node: ViewNode,
  path: Buffer,
  { runs, dataBytes }: RunCount,
): AsyncGenerator<ContentPart, void, void> {
  if (runs === 1 && dataBytes === Number(node.attributes.size)) {
    yield { node, path, offset: 0, length: dataBytes };
    return;
  }
  for await (const run of dataRuns(view, node, path)) yield { node, path, ...run };
}

type MemberFields = {
  readonly type: TarType;
  readonly size?: number;
  readonly link?: Uint8Array | undefined;
  readonly pax?: PaxRecords;
  readonly sparse?: boolean;
};

/** Header of a member, with the pax records that it needs before it. */
function member(path: Buffer, attributes: Attributes, fields: MemberFields): Buffer {
  const { type, size = 0, link, pax = new PaxRecords(), sparse = false } = fields;
  const { uid, gid, userName, groupName, mtimeNs } = attributes;
  const whole = type === TarType.directory ? Buffer.concat([path, slash]) : path;
  const own: UstarFields = {
    type,
    name: whole,
    mode: attributes.mode,
    uid,
    gid,
    size,
    mtime: Number(mtimeNs / 1_000_000_000n),
    user: userName,
    group: groupName,
    ...(link === undefined ? {} : { link }),
    ...(type === TarType.characterDevice || type === TarType.blockDevice
      ? { major: attributes.deviceMajor, minor: attributes.deviceMinor }
      : {}),
  };
  const all = new PaxRecords();
  const fit = sparse ? undefined : splitName(whole);
  // Bytes that are not UTF-8 go in as they are, as GNU tar has it; it would complain of a record `hdrcharset`.
  if (sparse) {
    all.add("GNU.sparse.major", 1);
    all.add("GNU.sparse.minor", 0);
    all.add("GNU.sparse.name", whole);
    all.add("GNU.sparse.realsize", Number(attributes.size));
  } else if (fit === undefined) all.add("path", whole);
  if (link !== undefined && link.length > ustarMax.linkBytes) all.add("linkpath", link);
  if (Buffer.byteLength(userName) > ustarMax.ownerBytes || !ascii(userName)) all.add("uname", userName);
  if (Buffer.byteLength(groupName) > ustarMax.ownerBytes || !ascii(groupName)) all.add("gname", groupName);
  if (uid > ustarMax.id) all.add("uid", uid);
  if (gid > ustarMax.id) all.add("gid", gid);
  if (size > ustarMax.size) all.add("size", size);
  const seconds = Number(mtimeNs / 1_000_000_000n);
  if (mtimeNs < 0n || seconds > ustarMax.seconds || mtimeNs % 1_000_000_000n !== 0n) {
    all.add("mtime", paxTime(mtimeNs));
  }
  all.addAll(pax);
  const base = path.subarray(path.lastIndexOf(0x2f) + 1);
  const header = ustarBlock({
    ...own,
    ...(sparse ? { name: Buffer.concat([Buffer.from("GNUSparseFile.0/"), base]) } : (fit ?? {})),
  });
  return all.empty ? header : Buffer.concat([all.member(path), header]);
}

const slash = Buffer.from("/");

function ascii(text: string): boolean {
  return Buffer.byteLength(text) === text.length;
}

const aclKeys: Readonly<Record<string, string>> = {
  "system.posix_acl_access": "SCHILY.acl.access",
  "system.posix_acl_default": "SCHILY.acl.default",
};

async function addXattrs(pax: PaxRecords, view: View, node: ViewNode, path: Buffer): Promise<void> {
  const xattrs = await named(path, view.xattrs(node));
  if (xattrs.size === 0) return;
  for (const [name, value] of [...xattrs].sort(([a], [b]) => (a < b ? -1 : 1))) {
    const acl = aclKeys[name] === undefined ? undefined : aclText(value);
    if (acl !== undefined) pax.add(aclKeys[name] as string, acl);
    else pax.add(Buffer.from(`SCHILY.xattr.${escaped(name)}`, "latin1"), value);
  }
}

/** As GNU tar writes names of attributes: the sign that ends a key must not be in it. */
function escaped(name: string): string {
  return name.replaceAll("%", "%25").replaceAll("=", "%3D");
}
