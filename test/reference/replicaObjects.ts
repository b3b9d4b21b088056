// Objects of a replica, one by one (docs/format.md, sections 11.2 to 11.6).
import { zstdDecompressSync } from "node:zlib";
import { sha256 } from "@noble/hashes/sha2.js";
import { Cursor, concat, fromHex, hex, must, Refusal, u64 } from "./cursor.ts";
import { verified } from "./ed25519.ts";
import { openBox } from "./keys.ts";
import { type Place, placesOfTail } from "./pack.ts";
import { derive, hmacSha256 } from "./primitives.ts";

// biome-ignore lint/suspicious/noExplicitAny: JSON from outside, of which each used member is checked
type Json = any;

/** Two lines: one of JSON, and the hex of what proves it. */
function twoLines(
  object: Uint8Array,
  proofBytes: number,
): { line: Uint8Array; proof: Uint8Array; json: Json } {
  must(object.length <= 4096, "longer than 4 KiB");
  const text = Buffer.from(object);
  const end = text.indexOf(10);
  must(end >= 0 && text.length === end + 1 + 2 * proofBytes + 1 && text.at(-1) === 10, "not two lines");
  const line = Uint8Array.from(text.subarray(0, end));
  const proof = fromHex(text.subarray(end + 1, -1).toString("latin1"), proofBytes, "proof");
  return { line, proof, json: JSON.parse(Buffer.from(line).toString("utf8")) };
}

/** Reads a root. Without a key its MAC is not checked. */
export function readRoot(
  object: Uint8Array,
  chain: "vault" | "gateway",
  id: string,
  generation: number,
  key: Uint8Array | null,
): Json {
  const { line, proof, json } = twoLines(object, 32);
  must(key === null || hex(hmacSha256(key, line)) === hex(proof), "the MAC of the root is wrong");
  must(json.format === "holdfast-root", "not a root");
  if (json.version !== 1) throw new Refusal("unsupported", `root version ${json.version}`);
  for (const flag of json.features?.read ?? []) throw new Refusal("unsupported", `the root needs ${flag}`);
  must(json.chain === chain && json.id === id && json.generation === generation, "another root");
  must(/^[0-9a-f]{64}$/.test(json.previous), "previous is no hash");
  return json;
}

export function vaultRootKey(metadataKey: Uint8Array, vaultId: Uint8Array): Uint8Array {
  return derive(metadataKey, vaultId, "holdfast root v1", 32);
}

export function gatewayRootKey(secret: Uint8Array, gatewayId: Uint8Array): Uint8Array {
  return derive(secret, gatewayId, "holdfast root v1", 32);
}

export type Row = Readonly<Record<string, string | number>>;

function topRow(cursor: Cursor): Row {
  const page = hex(cursor.bytes(32));
  const type = cursor.u8();
  must(type >= 2 && type <= 5, `page type ${type}`);
  cursor.zeros(7);
  const rows = cursor.u32();
  const bytes = cursor.u32();
  const packHash = hex(cursor.bytes(32));
  must(type === 2 || /^0*$/.test(packHash), "a pack hash where no packs are");
  return { page, type, rows, bytes, packHash };
}

function packRow(cursor: Cursor): Row {
  const row = { name: hex(cursor.bytes(32)), bytes: cursor.count64(), kind: cursor.u8() };
  cursor.zeros(7);
  must(row.kind === 1 || row.kind === 2, `pack kind ${row.kind}`);
  return row;
}

function snapshotRow(cursor: Cursor): Row {
  const row = { id: hex(cursor.bytes(32)), receivedMs: cursor.count64(), bytes: cursor.u32() };
  cursor.zeros(4);
  return row;
}

function segmentRow(cursor: Cursor): Row {
  const row = { name: hex(cursor.bytes(32)), bytes: cursor.count64(), packs: cursor.u32() };
  cursor.zeros(4);
  return row;
}

function doomedRow(cursor: Cursor): Row {
  const row = { name: hex(cursor.bytes(32)), generation: cursor.count64(), class: cursor.u8() };
  cursor.zeros(7);
  must(row.class >= 1 && row.class <= 5, `class ${row.class}`);
  return row;
}

const readers = [topRow, packRow, snapshotRow, segmentRow, doomedRow];

/** The rows of a manifest page of this type. */
export function readPage(object: Uint8Array, type: number): { generation: number; rows: Row[] } {
  const cursor = new Cursor(object, "a manifest page");
  cursor.text("HFm1");
  must(cursor.u8() === 1 && cursor.u8() === type, "another version or type of page");
  cursor.zeros(2);
  const generation = cursor.count64();
  const count = cursor.u32();
  cursor.zeros(4);
  must(count <= (type === 1 ? 16_384 : 4096), "too many rows");
  const reader = readers[type - 1];
  must(reader !== undefined, `page type ${type}`);
  const rows = Array.from({ length: count }, () => reader(cursor));
  cursor.end();
  return { generation, rows };
}

function treeHash(leaves: readonly Uint8Array[]): Uint8Array {
  if (leaves.length === 0) return sha256(new Uint8Array(0));
  if (leaves.length === 1) return leaves[0]!;
  let left = 1;
  while (2 * left < leaves.length) left *= 2;
  return sha256(concat(Uint8Array.of(1), treeHash(leaves.slice(0, left)), treeHash(leaves.slice(left))));
}

export function packHash(rows: readonly Row[]): string {
  const leaf = ({ name, bytes }: Row): Uint8Array => {
    const sha = fromHex(name, 32, "name");
    return sha256(concat(Uint8Array.of(0), sha, u64(bytes as number), sha));
  };
  return hex(treeHash(rows.map(leaf)));
}

export function merkle(packHashes: readonly string[]): string {
  return hex(treeHash(packHashes.map((hash) => sha256(concat(Uint8Array.of(2), fromHex(hash, 32, "hash"))))));
}

export type SegmentPack = {
  readonly name: string;
  readonly bytes: number;
  readonly places: readonly Place[];
};

/** What is where in the packs of an index segment. */
export function readSegment(object: Uint8Array): SegmentPack[] {
  const cursor = new Cursor(object, "an index segment");
  cursor.text("HFi1");
  must(cursor.u8() === 1, "unknown version of segments");
  cursor.zeros(3);
  const count = cursor.u32();
  cursor.zeros(4);
  must(count <= 4096, "too many packs");
  const packs = Array.from({ length: count }, () => {
    const name = hex(cursor.bytes(32));
    const bytes = cursor.count64();
    const length = cursor.u32();
    cursor.zeros(4);
    const header = cursor.bytes(32);
    return { name, bytes, places: placesOfTail(header, cursor.bytes(length), bytes) };
  });
  cursor.end();
  return packs;
}

/** A receipt whose signature is right. */
export function readReceipt(object: Uint8Array, signer: string): Json {
  const { line, proof, json } = twoLines(object, 64);
  must(verified(fromHex(signer, 32, "signer"), line, proof), "the signature of the receipt is wrong");
  must(json.format === "holdfast-receipt" && json.version === 1 && json.signer === signer, "another receipt");
  return json;
}

/** The text of a sealed catalog, by the key it derives from and the id that it is of. */
export function readCatalog(object: Uint8Array, ikm: Uint8Array, id: Uint8Array): string {
  const cursor = new Cursor(object, "a sealed catalog");
  cursor.text("HFc1");
  must(cursor.u8() === 1, "unknown version of catalogs");
  cursor.zeros(3);
  const length = cursor.u32();
  must(length <= 64 * 1024 * 1024, "a catalog that is too long");
  const key = derive(ikm, id, "holdfast catalog v1", 32);
  const frame = openBox(key, `holdfast/catalog/${hex(id)}`, cursor.bytes(object.length - cursor.at));
  must(frame !== null, "the catalog does not open");
  const text = zstdDecompressSync(frame, { maxOutputLength: Math.max(length, 1) });
  must(text.length === length, "the catalog has another length");
  return text.toString("utf8");
}
