// The independent reader opens the golden vectors of boxes.
import { sha256 } from "@noble/hashes/sha2.js";
import { expect, it } from "vitest";
import {
  boxKeyOf,
  boxKeys,
  boxSecrets,
  readChunkList,
  readCustody,
  readPackList,
  readSigned,
  readSnapshotList,
} from "./boxes.ts";
import { hex } from "./cursor.ts";
import { base64, bytes, vector } from "./vectorFiles.ts";

const text = (value: string): Uint8Array => Uint8Array.from(Buffer.from(value));

it("opens a box by passphrase and at the datacentre, and what is sealed in it", async () => {
  const given = vector("seed");
  const { id } = JSON.parse(given.document);
  const key = await boxKeyOf(given.document, { passphrase: given.passphrase });
  expect(hex(key)).toBe(given.boxKey);
  expect(hex(await boxKeyOf(given.document, { unlockKey: bytes(given.unlockKey) }))).toBe(given.boxKey);
  await expect(boxKeyOf(given.document, { passphrase: "wrong" })).rejects.toThrow("does not open");
  expect(boxSecrets(key, id, base64(given.secrets.sealed))).toBe(given.secrets.text);
  expect(boxKeys(key, id)).toEqual(given.derived);
});

it("reads manifest, lists and custody log", () => {
  const given = vector("seed");
  const manifest = text(given.manifest.text);
  expect(hex(sha256(manifest))).toBe(given.manifest.sha256);
  const json = readSigned(manifest, "holdfast-seed", given.manifest.signer);
  expect(json.signer).toBe(given.manifest.signer);
  expect(readPackList(base64(given.packs.object))).toEqual(given.packs.rows);
  expect(readSnapshotList(base64(given.snapshots.object))).toEqual(given.snapshots.rows);
  expect(hex(sha256(text(given.custody.text)))).toBe(given.custody.sha256);
  expect(readCustody(given.custody.text).length).toBeGreaterThan(0);
  const list = vector("chunk-list");
  expect(readChunkList(base64(list.object))).toEqual(list.groups);
});

it("reads home records and seed receipts, and refuses changed ones", () => {
  for (const [name, format] of [
    ["home-record", "holdfast-home"],
    ["seed-receipt", "holdfast-seed-receipt"],
  ] as const) {
    const given = vector(name);
    expect(readSigned(text(given.object), format, given.signer).version).toBe(1);
    const changed = given.object.replace(/"version":1/, '"version": 1');
    expect(() => readSigned(text(changed), format, given.signer)).toThrow("signature");
  }
});
