// The golden vectors: what was written once must open for ever, and the writer must still make it where it is deterministic.
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { fromHex, toHex } from "../../vault/bytes.ts";
import { chunkId } from "../../vault/chunkId.ts";
import { FileHasher } from "../../vault/fileHash.ts";
import { publicKeyOf, sealBox, sealPublicBox } from "../../vault/keys/box.ts";
import { deriveLogin } from "../../vault/keys/kdf.ts";
import {
  escrowHolders,
  openWithDevice,
  openWithEscrow,
  openWithPassword,
  openWithRecovery,
  parseKeysDocument,
  passwordKdf,
} from "../../vault/keys/keysDocument.ts";
import { type KeysWrap, wrapContext } from "../../vault/keys/keysTypes.ts";
import { formatRecoveryKey, parseRecoveryKey } from "../../vault/keys/recoveryKey.ts";
import { encodeRing, ringContext, ringKey } from "../../vault/keys/ring.ts";
import { VaultKeys, type VaultSecrets } from "../../vault/keys/vaultKeys.ts";
import { escrowContext, isProven } from "../../vault/keys/wraps.ts";
import { Compression, type RecordType } from "../../vault/magic.ts";
import { openRecord, parseRecordHeader, sealRecord } from "../../vault/record.ts";
import { encodeSnapshot, openSnapshot, type SnapshotBody } from "../../vault/snapshot.ts";
import { createVaultDocument, parseVaultDocument } from "../../vault/vaultDocument.ts";

const folder = join(import.meta.dirname, "../vectors");

function load<T>(name: string): T {
  return JSON.parse(readFileSync(join(folder, name), "utf8")) as T;
}

type SecretsJson = { vaultId: string; s: string; epochs: Record<string, string>; currentEpoch: number };

function secretsOf(json: SecretsJson): VaultSecrets {
  const epochs = Object.entries(json.epochs).map(([epoch, a]): [number, Buffer] => [
    Number(epoch),
    fromHex(a),
  ]);
  return {
    vaultId: fromHex(json.vaultId),
    s: fromHex(json.s),
    epochs: new Map(epochs),
    currentEpoch: json.currentEpoch,
  };
}

test("derived keys", () => {
  const vector = load<{
    secrets: SecretsJson;
    groups: {
      group: number;
      idKey: string;
      gearTableSha256: string;
      gearTableFirst: number;
      splitTableSha256: string;
      splitTableFirst: number;
    }[];
    epochs: { epoch: number; encKey: string; macKey: string }[];
    fileHashKey: string;
    metadataKey: string;
  }>("derived-keys.json");
  const keys = new VaultKeys(secretsOf(vector.secrets));
  const sha256 = (table: Uint32Array) =>
    createHash("sha256").update(new Uint8Array(table.buffer)).digest("hex");
  for (const { group, ...expected } of vector.groups) {
    const [gear, split] = [keys.gearTable(group), keys.splitTable(group)];
    expect({
      idKey: toHex(keys.idKey(group)),
      gearTableSha256: sha256(gear),
      gearTableFirst: gear[0],
      splitTableSha256: sha256(split),
      splitTableFirst: split[0],
    }).toEqual(expected);
  }
  for (const { epoch, encKey, macKey } of vector.epochs) {
    const found = keys.sealKeys(epoch);
    expect([toHex(found.encKey), toHex(found.macKey)]).toEqual([encKey, macKey]);
  }
  expect(toHex(keys.fileHashKey)).toBe(vector.fileHashKey);
  expect(toHex(keys.metadataKey)).toBe(vector.metadataKey);
});

test("chunk ids", () => {
  const vector = load<{
    idKey: string;
    ids: { type: RecordType; refs: string; plaintext: string; id: string }[];
  }>("chunk-ids.json");
  for (const { type, refs, plaintext, id } of vector.ids) {
    expect(toHex(chunkId(fromHex(vector.idKey), type, fromHex(refs), fromHex(plaintext)))).toBe(id);
  }
});

describe("records", () => {
  const vector = load<{
    secrets: SecretsJson;
    group: number;
    records: {
      name: string;
      type: RecordType;
      compression: Compression;
      refs: string;
      plaintext: string;
      iv: string;
      id: string;
      record: string;
    }[];
  }>("records.json");
  const { group } = vector;
  const keys = new VaultKeys(secretsOf(vector.secrets));

  test.each(vector.records)("$name", ({ type, compression, refs, plaintext, iv, id, record: hex }) => {
    const record = fromHex(hex);
    const opened = openRecord({ keys, group, record, expectedId: fromHex(id), expectedType: type });
    expect(toHex(opened.plaintext)).toBe(plaintext);
    expect(toHex(opened.refs)).toBe(refs);
    expect(parseRecordHeader(record)).toMatchObject({ type, compression, keyEpoch: 2 });
    // What zstd makes may change with its version; everything else may not.
    if (compression === Compression.zstd) return;
    const again = sealRecord({
      keys,
      group,
      type,
      plaintext: fromHex(plaintext),
      refs: fromHex(refs),
      iv: fromHex(iv),
    });
    expect(toHex(again)).toBe(hex);
  });
});

test.each(["snapshot.json", "program-snapshot.json"])("%s", (file) => {
  const vector = load<{
    secrets: SecretsJson;
    header: {
      flags: { incomplete: boolean };
      keyEpoch: number;
      vaultId: string;
      group: number;
      deviceId: string;
      itemId: string;
      sequence: number;
      previous: string;
      root: string;
    };
    body: SnapshotBody;
    iv: string;
    id: string;
    snapshot: string;
  }>(file);
  const keys = new VaultKeys(secretsOf(vector.secrets));
  const opened = openSnapshot(keys, fromHex(vector.snapshot));
  const header = {
    ...vector.header,
    vaultId: fromHex(vector.header.vaultId),
    deviceId: fromHex(vector.header.deviceId),
    itemId: fromHex(vector.header.itemId),
    previous: fromHex(vector.header.previous),
    root: fromHex(vector.header.root),
  };
  expect(opened.header).toEqual(header);
  expect(opened.body).toEqual(vector.body);
  const again = encodeSnapshot({ keys, header, body: vector.body, iv: fromHex(vector.iv) });
  expect(toHex(again.bytes)).toBe(vector.snapshot);
  expect(toHex(again.id)).toBe(vector.id);
});

test("keys document, passwords and recovery keys", async () => {
  const vector = load<{
    password: string;
    l: string;
    r: string;
    e: string;
    recoveryKey: string;
    recoveryPrivate: string;
    gatewayRecoveryKey: string;
    gatewayRecoveryPrivate: string;
    device: string;
    devicePrivate: string;
    devicePublic: string;
    secrets: SecretsJson;
    boxSalts: Record<"ring" | KeysWrap["kind"], string>;
    ephemeralPrivates: Record<"recovery" | "device", string>;
    document: unknown;
    vaultDocument: unknown;
  }>("keys-document.json");
  const document = parseKeysDocument(vector.document);
  expect(document).toEqual(vector.document);
  const { l, r } = await deriveLogin(vector.password, passwordKdf(document)!);
  expect([toHex(l), toHex(r)]).toEqual([vector.l, vector.r]);
  const recoveryPrivate = parseRecoveryKey("account", vector.recoveryKey);
  expect(toHex(recoveryPrivate)).toBe(vector.recoveryPrivate);
  expect(formatRecoveryKey("account", recoveryPrivate)).toBe(vector.recoveryKey);
  const gatewayPrivate = fromHex(vector.gatewayRecoveryPrivate);
  expect(formatRecoveryKey("gateway", gatewayPrivate)).toBe(vector.gatewayRecoveryKey);
  expect(parseRecoveryKey("gateway", vector.gatewayRecoveryKey)).toEqual(gatewayPrivate);

  const secrets = secretsOf(vector.secrets);
  const e = fromHex(vector.e);
  const expected = { secrets, e };
  expect(openWithPassword(document, r)).toEqual(expected);
  expect(openWithRecovery(document, recoveryPrivate)).toEqual(expected);
  const [devicePrivate, devicePublic] = [fromHex(vector.devicePrivate), fromHex(vector.devicePublic)];
  expect(publicKeyOf(devicePrivate)).toEqual(devicePublic);
  expect(openWithDevice(document, vector.device, devicePrivate, devicePublic)).toEqual(expected);

  const salt = (name: "ring" | KeysWrap["kind"]) => fromHex(vector.boxSalts[name]);
  const ring = sealBox(
    ringKey(e, secrets.vaultId, 2),
    ringContext(document.vault, 2),
    encodeRing(secrets),
    salt("ring"),
  );
  expect(ring.toString("base64")).toBe(document.ring);
  for (const wrap of document.wraps) {
    const context = wrapContext(document, wrap.kind, wrap.kind === "device" ? wrap.device : undefined);
    const box =
      wrap.kind === "password"
        ? sealBox(r, context, e, salt(wrap.kind))
        : sealPublicBox(Buffer.from(wrap.public, "base64"), context, e, {
            ephemeralPrivate: fromHex(vector.ephemeralPrivates[wrap.kind as "recovery" | "device"]),
            salt: salt(wrap.kind),
          });
    expect(box.toString("base64")).toBe(wrap.box);
  }

  const vaultDocument = parseVaultDocument(JSON.stringify(vector.vaultDocument));
  expect(vaultDocument).toEqual(vector.vaultDocument);
  expect(createVaultDocument(vaultDocument)).toEqual(vector.vaultDocument);
});

test("a rotated keys document with an escrow key", () => {
  const vector = load<{
    escrowKey: string;
    escrowPrivate: string;
    escrowPublicText: string;
    e: string;
    secrets: SecretsJson;
    context: string;
    ringSalt: string;
    ephemeralPrivate: string;
    boxSalt: string;
    document: unknown;
  }>("escrow.json");
  const document = parseKeysDocument(vector.document);
  expect(document).toEqual(vector.document);
  const privateKey = parseRecoveryKey("escrow", vector.escrowKey);
  expect(toHex(privateKey)).toBe(vector.escrowPrivate);
  const publicKey = publicKeyOf(privateKey);
  expect(formatRecoveryKey("escrowPublic", publicKey)).toBe(vector.escrowPublicText);
  const [secrets, e] = [secretsOf(vector.secrets), fromHex(vector.e)];
  expect(openWithEscrow(document, privateKey)).toEqual({ secrets, e });
  const [holder] = escrowHolders(document);
  expect(holder).toMatchObject({ label: "Müller & Söhne", public: publicKey.toString("base64") });
  expect(escrowContext(document, publicKey)).toBe(vector.context);
  const fixed = { ephemeralPrivate: fromHex(vector.ephemeralPrivate), salt: fromHex(vector.boxSalt) };
  const box = sealPublicBox(publicKey, vector.context, e, fixed).toString("base64");
  expect(document.wraps[0]).toMatchObject({ box });
  expect(isProven(document, e, document.wraps[0]!)).toBe(true);
  const key = ringKey(e, secrets.vaultId, 3);
  const context = ringContext(document.vault, 3);
  const ring = sealBox(key, context, encodeRing(secrets), fromHex(vector.ringSalt));
  expect(ring.toString("base64")).toBe(document.ring);
});

test("file hashes", () => {
  const vector = load<{
    fileHashKey: string;
    files: { runs: ({ hole: number } | { text: string; length: number })[]; hash: string }[];
  }>("file-hashes.json");
  for (const { runs, hash } of vector.files) {
    const hasher = new FileHasher(fromHex(vector.fileHashKey));
    for (const run of runs) {
      if ("hole" in run) hasher.skipZeros(run.hole);
      else hasher.update(Buffer.alloc(run.length, run.text));
    }
    expect(toHex(hasher.digest()!)).toBe(hash);
  }
});

test("vectors that exist are not made again", () => {
  const before = readFileSync(join(folder, "records.json"));
  const run = spawnSync(process.execPath, [join(folder, "make.ts")], { encoding: "utf8" });
  expect(run.status).toBe(1);
  expect(run.stderr).toMatch(/never made again: .*records\.json/);
  expect(readFileSync(join(folder, "records.json"))).toEqual(before);
});
