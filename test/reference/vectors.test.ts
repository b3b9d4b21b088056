// The independent reader opens every golden vector; those of trees are in treeVectors.test.ts, of boxes in boxVectors.test.ts.
import { sha256 } from "@noble/hashes/sha2.js";
import { describe, expect, it } from "vitest";
import { seededBytes, seededTable } from "../vault/seeded.ts";
import { bundles, chunkerOf, fastCdcEnds, fixedEnds, type SmallFile, splitHash } from "./chunker.ts";
import { concat, hex } from "./cursor.ts";
import { fileHash } from "./fileHash.ts";
import { Keys, openBox, openKeysDocument, readRecoveryKey } from "./keys.ts";
import { scanPack } from "./pack.ts";
import { derive, stretchPassword } from "./primitives.ts";
import { chunkId, openRecord, sealRecord } from "./record.ts";
import { openSnapshot } from "./snapshot.ts";
import { base64, bytes, split, vector, vectorNames } from "./vectorFiles.ts";
import { x25519, x25519Public } from "./x25519.ts";

function keysOf(secrets: { vaultId: string; s: string; epochs: Record<string, string> }): Keys {
  const epochs = Object.entries(secrets.epochs).map(([epoch, a]) => [Number(epoch), bytes(a)] as const);
  return new Keys(bytes(secrets.vaultId), bytes(secrets.s), new Map(epochs));
}

const known = [
  "chunk-ids",
  "chunk-list",
  "chunker",
  "derived-keys",
  "directories",
  "escrow",
  "extents",
  "file-hashes",
  "home-record",
  "image-chunks",
  "invite",
  "keys-document",
  "pack",
  "program-snapshot",
  "records",
  "replica",
  "seed",
  "seed-receipt",
  "snapshot",
  "sparse-entries",
];

it("leaves no vector unread", () => {
  expect(vectorNames()).toEqual(known);
});

describe("keys", () => {
  it("multiplies on Curve25519 as RFC 7748, section 5.2 shows", () => {
    const scalar = bytes("a546e36bf0527c9d3b16154b82465edd62144c0ac1fc5a18506a2244ba449ac4");
    const point = bytes("e6db6867583030db3594c1a424b15f7c726624ec26b3353b10a903a6d0ab1c4c");
    const product = "c3da55379de9c6908e94ea4df28d084f32eccf03491c71f754b4075577a28552";
    expect(hex(x25519(scalar, point))).toBe(product);
    const nine = Uint8Array.from({ length: 32 }, (_, i) => (i === 0 ? 9 : 0));
    expect(hex(x25519Public(nine))).toBe("422c8e7a6227d7bca1350b3e2bb7279f7897b87bb6854b783c60e80311ae3079");
  });

  it("derives every key", () => {
    const given = vector("derived-keys");
    const keys = keysOf(given.secrets);
    for (const each of given.groups) {
      const tables = { gear: keys.table("gear", each.group), split: keys.table("split", each.group) };
      const digest = (table: readonly number[]) =>
        hex(sha256(new Uint8Array(Uint32Array.from(table).buffer)));
      expect(hex(keys.idKey(each.group))).toBe(each.idKey);
      expect(digest(tables.gear)).toBe(each.gearTableSha256);
      expect(tables.gear[0]).toBe(each.gearTableFirst);
      expect(digest(tables.split)).toBe(each.splitTableSha256);
      expect(tables.split[0]).toBe(each.splitTableFirst);
    }
    for (const { epoch, encKey, macKey } of given.epochs) {
      const found = keys.sealKeys(epoch);
      expect({ encKey: hex(found.encKey), macKey: hex(found.macKey) }).toEqual({ encKey, macKey });
    }
    expect(hex(keys.fileHashKey())).toBe(given.fileHashKey);
    expect(hex(keys.metadataKey())).toBe(given.metadataKey);
  });

  it("opens the keys document by password, recovery key and device", async () => {
    const given = vector("keys-document");
    const kdf = given.document.wraps[0].kdf;
    const { l, r } = await stretchPassword(given.password, base64(kdf.salt), kdf.iterations);
    expect({ l: hex(l), r: hex(r) }).toEqual({ l: given.l, r: given.r });
    expect(readRecoveryKey(given.recoveryKey)).toEqual({
      kind: "HFA",
      privateKey: bytes(given.recoveryPrivate),
    });
    const lazy = given.gatewayRecoveryKey.toLowerCase().replaceAll("-", " ").replaceAll("1", "l");
    expect(readRecoveryKey(lazy)).toEqual({ kind: "HFG", privateKey: bytes(given.gatewayRecoveryPrivate) });
    expect(hex(x25519Public(bytes(given.devicePrivate)))).toBe(given.devicePublic);

    const text = JSON.stringify(given.document);
    const wanted = keysOf(given.secrets);
    const credentials = [
      { password: given.password },
      { recoveryKey: given.recoveryKey },
      { device: given.device, privateKey: bytes(given.devicePrivate) },
    ];
    for (const credential of credentials) {
      const keys = await openKeysDocument(text, credential);
      expect(hex(keys.fileHashKey())).toBe(hex(wanted.fileHashKey()));
      for (const epoch of [1, 2]) expect(keys.sealKeys(epoch)).toEqual(wanted.sealKeys(epoch));
    }
    await expect(openKeysDocument(text, { password: "wrong" })).rejects.toMatchObject({
      code: "auth-failed",
    });
  });
});

it("opens a rotated keys document by an escrow key", async () => {
  const given = vector("escrow");
  const { escrowKey } = given;
  expect(readRecoveryKey(escrowKey)).toEqual({ kind: "HFE", privateKey: bytes(given.escrowPrivate) });
  const publicKey = readRecoveryKey(given.escrowPublicText).privateKey;
  expect(hex(publicKey)).toBe(hex(x25519Public(bytes(given.escrowPrivate))));
  const text = JSON.stringify(given.document);
  const keys = await openKeysDocument(text, { escrowKey });
  const wanted = keysOf(given.secrets);
  expect(hex(keys.fileHashKey())).toBe(hex(wanted.fileHashKey()));
  for (const epoch of [1, 2, 3]) expect(keys.sealKeys(epoch)).toEqual(wanted.sealKeys(epoch));
  await expect(openKeysDocument(text, { password: "p" })).rejects.toMatchObject({ code: "auth-failed" });
});

it("opens an invite's box by the secret of its file", () => {
  const given = vector("invite");
  const { secret, invite, account } = JSON.parse(given.file);
  const { document, e } = vector("keys-document");
  const derived = (label: string) => derive(base64(secret), bytes(invite), label, 32);
  expect(Buffer.from(derived("holdfast invite token v1")).toString("base64url")).toBe(given.token);
  const context = `holdfast/invite/${account.id}/${document.vault}/${document.epoch}/${invite}`;
  const opened = openBox(derived("holdfast invite key v1"), context, base64(given.box));
  expect(opened && hex(opened)).toBe(e);
});

describe("records", () => {
  it("names chunks", () => {
    const given = vector("chunk-ids");
    for (const { type, refs, plaintext, id } of given.ids) {
      const chunk = { type, references: split(bytes(refs)), plaintext: bytes(plaintext) };
      expect(hex(chunkId(bytes(given.idKey), chunk))).toBe(id);
    }
  });

  it("opens records, and seals the stored ones to the same bytes", () => {
    const given = vector("records");
    const keys = keysOf(given.secrets);
    for (const each of given.records) {
      const record = bytes(each.record);
      const chunk = openRecord(record, keys, given.group, { id: bytes(each.id), type: each.type });
      expect(hex(chunk.plaintext)).toBe(each.plaintext);
      expect(hex(concat(...chunk.references))).toBe(each.refs);
      if (each.compression === 0) {
        expect(hex(sealRecord(keys, given.group, 2, bytes(each.iv), chunk))).toBe(each.record);
      }
      for (const at of [0, 6, 12, 30, record.length - 20, record.length - 1]) {
        const bad = Uint8Array.from(record);
        bad[at]! ^= 1;
        expect(() => openRecord(bad, keys, given.group, { id: bytes(each.id), type: each.type })).toThrow();
      }
    }
  });

  it.each(["snapshot", "program-snapshot"])("opens the %s", (name) => {
    const given = vector(name);
    const found = openSnapshot(bytes(given.snapshot), keysOf(given.secrets));
    expect(found).toMatchObject({
      id: given.id,
      incomplete: given.header.flags.incomplete,
      epoch: given.header.keyEpoch,
      vaultId: given.header.vaultId,
      group: given.header.group,
      device: given.header.deviceId,
      item: given.header.itemId,
      sequence: given.header.sequence,
      previous: given.header.previous,
      body: given.body,
    });
    expect(hex(found.root)).toBe(given.header.root);
  });
});

it("finds the records of the pack by trailer and by frames", () => {
  const given = vector("pack");
  const pack = base64(given.bytes);
  const wanted = given.rows.map((row: Record<string, string>) => ({
    id: hex(base64(row.id!)),
    offset: row.offset,
    length: row.length,
    group: row.group,
    writer: hex(base64(row.writer!)),
    type: row.type,
  }));
  expect(scanPack(pack)).toEqual({ by: "trailer", places: wanted });
  const open = pack.slice(0, -72);
  expect(scanPack(open)).toEqual({ by: "frames", places: wanted });
  const withoutHeader = Uint8Array.from(open).fill(0, 0, 32);
  expect(scanPack(withoutHeader)).toEqual({ by: "frames", places: wanted });
  const flipped = Uint8Array.from(open);
  flipped[Number(wanted[1].offset) + 80]! ^= 1;
  expect(scanPack(flipped).places).toEqual([wanted[0], wanted[2]]);
  expect(scanPack(new Uint8Array(0))).toEqual({ by: "frames", places: [] });
});

it("hashes files", () => {
  const given = vector("file-hashes");
  type Run = { hole: number } | { text: string; length: number };
  for (const { runs, hash } of given.files as { runs: Run[]; hash: string }[]) {
    let size = 0;
    const placed = runs.map((run) => {
      const from = size;
      const length = "hole" in run ? run.hole : run.length;
      size += length;
      return { from, to: size, bytes: "hole" in run ? null : Buffer.alloc(length, run.text) };
    });
    const overlap = (from: number, to: number) => placed.filter((run) => run.from < to && run.to > from);
    const found = fileHash(bytes(given.fileHashKey), {
      size,
      isHole: (from, to) => overlap(from, to).every((run) => run.bytes === null),
      read: (offset, length) => {
        const all = new Uint8Array(length);
        for (const run of overlap(offset, offset + length)) {
          const from = Math.max(offset, run.from);
          const part = run.bytes?.subarray(from - run.from, Math.min(offset + length, run.to) - run.from);
          if (part !== undefined) all.set(part, from - offset);
        }
        return all;
      },
    });
    expect(hex(found!)).toBe(hash);
  }
});

it("cuts content, names and bundles", () => {
  const given = vector("chunker");
  const gear = [...seededTable("vector gear")];
  const table = [...seededTable("vector split")];
  for (const { label, length, ends } of given.cuts) {
    expect(fastCdcEnds(seededBytes(label, length), gear)).toEqual(ends);
  }
  for (const { name, hash } of given.names) expect(splitHash(Buffer.from(name), table)).toBe(hash);
  type File = { uid: number; size: number; name: string; starts: boolean };
  const files = given.files.map((file: File) => ({ ...file, name: Buffer.from(file.name) }));
  const starts = new Set(bundles(files, table).map(([first]) => first));
  expect(files.map((file: SmallFile) => starts.has(file))).toEqual(
    given.files.map((file: File) => file.starts),
  );
});

it("cuts disk images", () => {
  const given = vector("image-chunks");
  for (const { chunker, from, to, ends } of given.cuts) expect(fixedEnds(from, to, chunker)).toEqual(ends);
  for (const { name, size, chunker } of given.files) expect(chunkerOf(name, size)).toBe(chunker);
});
