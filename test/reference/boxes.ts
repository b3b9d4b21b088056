// Documents and lists of boxes (docs/format.md, section 12).
import { sha256 } from "@noble/hashes/sha2.js";
import { Cursor, fromBase64, fromHex, hex, must } from "./cursor.ts";
import { verified } from "./ed25519.ts";
import { openBox, openPublicBox } from "./keys.ts";
import { derive, stretchPassword } from "./primitives.ts";

// biome-ignore lint/suspicious/noExplicitAny: JSON from outside, of which each used member is checked
type Json = any;

/** A signed document: home record, manifest or seed receipt. */
export function readSigned(object: Uint8Array, format: string, signer: string): Json {
  must(object.length <= 256 * 1024, "longer than 256 KiB");
  const text = Buffer.from(object);
  const end = text.indexOf(10);
  must(end >= 0 && text.length === end + 1 + 128 + 1 && text.at(-1) === 10, "not two lines");
  const line = Uint8Array.from(text.subarray(0, end));
  const proof = fromHex(text.subarray(end + 1, -1).toString("latin1"), 64, "signature");
  must(verified(fromHex(signer, 32, "signer"), line, proof), "the signature is wrong");
  const json = JSON.parse(Buffer.from(line).toString("utf8"));
  must(json.format === format && json.version === 1, "another document");
  return json;
}

/** The box key, by the passphrase or by the datacentre's private key for boxes. */
export async function boxKeyOf(
  text: string,
  by: { readonly passphrase: string } | { readonly unlockKey: Uint8Array },
): Promise<Uint8Array> {
  const { id, datacentre, key, format } = JSON.parse(text);
  must(format === "holdfast-box", "not a box");
  const context = `holdfast/box/${datacentre.id}/${id}`;
  let opened: Uint8Array | null;
  if ("unlockKey" in by) {
    opened = openPublicBox(by.unlockKey, `${context}/datacentre`, fromBase64(key.datacentre, "box"));
  } else {
    const salt = fromBase64(key.kdf.salt, "salt");
    const { r } = await stretchPassword(by.passphrase, salt, key.kdf.iterations);
    opened = openBox(r, `${context}/passphrase`, fromBase64(key.passphrase, "box"));
  }
  must(opened !== null && opened.length === 32, "the box key does not open");
  return opened;
}

/** What secrets.sealed holds, as text. */
export function boxSecrets(boxKey: Uint8Array, id: string, sealed: Uint8Array): string {
  const key = derive(boxKey, fromHex(id, 16, "id"), "holdfast box secrets v1", 32);
  const text = openBox(key, `holdfast/box/${id}/secrets`, sealed);
  must(text !== null, "the secrets do not open");
  return Buffer.from(text).toString("utf8");
}

/** The private half of a box gateway's recovery key, and the key of its catalog. */
export function boxKeys(boxKey: Uint8Array, id: string): { recovery: string; catalog: string } {
  const salt = fromHex(id, 16, "id");
  const database = derive(boxKey, salt, "holdfast box database v1 catalog", 32).subarray(0, 24);
  return {
    recovery: hex(derive(boxKey, salt, "holdfast box recovery v1", 32)),
    catalog: Buffer.from(database).toString("base64"),
  };
}

function listOf(object: Uint8Array, type: number, what: string): { cursor: Cursor; count: number } {
  const cursor = new Cursor(object, what);
  cursor.text("HFb1");
  must(cursor.u8() === 1, `unknown version of ${what}`);
  must(cursor.u8() === type, `not ${what}`);
  cursor.zeros(2);
  const count = cursor.count64();
  cursor.zeros(8);
  return { cursor, count };
}

export function readPackList(object: Uint8Array): Json[] {
  const { cursor, count } = listOf(object, 1, "a list of packs");
  const rows = Array.from({ length: count }, () => {
    const name = hex(cursor.bytes(32));
    const bytes = cursor.count64();
    const kind = cursor.u8();
    cursor.zeros(3);
    return { name, bytes, kind, records: cursor.u32() };
  });
  cursor.end();
  return rows;
}

export function readSnapshotList(object: Uint8Array): Json[] {
  const { cursor, count } = listOf(object, 2, "a list of snapshots");
  const rows = Array.from({ length: count }, () => {
    const receivedMs = cursor.count64();
    return { receivedMs, object: hex(cursor.bytes(cursor.u32())) };
  });
  cursor.end();
  return rows;
}

export function readChunkList(object: Uint8Array): Json[] {
  const { cursor, count } = listOf(object, 3, "a list of chunks");
  const groups = [];
  for (let left = count; left > 0; ) {
    const group = cursor.u32();
    cursor.zeros(4);
    const length = cursor.count64();
    left -= length;
    const prefixes = Array.from({ length }, () => hex(cursor.bytes(8)));
    must(
      prefixes.every((prefix, i) => i === 0 || prefixes[i - 1]! < prefix),
      "prefixes do not ascend",
    );
    groups.push({ group, prefixes });
  }
  cursor.end();
  return groups;
}

/** The entries of a custody log, each chained to the one before. */
export function readCustody(text: string): Json[] {
  let previous = "0".repeat(64);
  return text
    .split("\n")
    .slice(0, -1)
    .map((line, i) => {
      const entry = JSON.parse(line);
      must(entry.n === i + 1 && entry.previous === previous, "the chain is broken");
      previous = hex(sha256(Buffer.from(line)));
      return entry;
    });
}
