// Makes the golden vectors of keys, records, snapshots and file hashes, once. Run with Node 24 from anywhere: `node test/vectors/make.ts`.
// It refuses to touch a file that exists: what the writer made once, readers must open for ever. A new form gets a new file.
import { createHash } from "node:crypto";
import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { toHex } from "../../vault/bytes.ts";
import { chunkId } from "../../vault/chunkId.ts";
import { FileHasher } from "../../vault/fileHash.ts";
import { publicKeyOf, sealBox, sealPublicBox } from "../../vault/keys/box.ts";
import { type KeysDocument, wrapContext } from "../../vault/keys/keysTypes.ts";
import { encodeRing, ringContext, ringKey } from "../../vault/keys/ring.ts";
import { deriveLogin } from "../../vault/keys/kdf.ts";
import { formatRecoveryKey } from "../../vault/keys/recoveryKey.ts";
import { VaultKeys } from "../../vault/keys/vaultKeys.ts";
import { RecordType } from "../../vault/magic.ts";
import { parseRecordHeader, sealRecord } from "../../vault/record.ts";
import { encodeSnapshot } from "../../vault/snapshot.ts";
import { createVaultDocument } from "../../vault/vaultDocument.ts";

/** Bytes that anyone can make again: SHA-256 of "holdfast vector <label> <n>", concatenated. */
function fixed(label: string, length: number): Buffer {
  const blocks: Buffer[] = [];
  for (let i = 0; i * 32 < length; i++) {
    blocks.push(createHash("sha256").update(`holdfast vector ${label} ${i}`).digest());
  }
  return Buffer.concat(blocks).subarray(0, length);
}

const group = 1;
const secrets = {
  vaultId: fixed("vault id", 16),
  s: fixed("s", 32),
  epochs: new Map([
    [1, fixed("a 1", 32)],
    [2, fixed("a 2", 32)],
  ]),
  currentEpoch: 2,
};
const keys = new VaultKeys(secrets);
const secretsJson = {
  vaultId: toHex(secrets.vaultId),
  s: toHex(secrets.s),
  epochs: Object.fromEntries([...secrets.epochs].map(([epoch, a]) => [epoch, toHex(a)])),
  currentEpoch: 2,
};

function sha256(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}

function derivedVectors(): unknown {
  const groups = [0, 1, 0xffff_ffff].map((number) => ({
    group: number,
    idKey: toHex(keys.idKey(number)),
    gearTableSha256: sha256(new Uint8Array(keys.gearTable(number).buffer)),
    gearTableFirst: keys.gearTable(number)[0],
    splitTableSha256: sha256(new Uint8Array(keys.splitTable(number).buffer)),
    splitTableFirst: keys.splitTable(number)[0],
  }));
  const epochs = [1, 2].map((epoch) => ({
    epoch,
    encKey: toHex(keys.sealKeys(epoch).encKey),
    macKey: toHex(keys.sealKeys(epoch).macKey),
  }));
  return { secrets: secretsJson, groups, epochs, fileHashKey: toHex(keys.fileHashKey), metadataKey: toHex(keys.metadataKey) };
}

function chunkIdVectors(): unknown {
  const cases = [
    { type: RecordType.data, refs: 0, plaintext: Buffer.alloc(0) },
    { type: RecordType.data, refs: 0, plaintext: Buffer.from("hello") },
    { type: RecordType.xattrs, refs: 0, plaintext: Buffer.from("hello") },
    { type: RecordType.directory, refs: 2, plaintext: Buffer.from("page") },
    { type: RecordType.extents, refs: 2, plaintext: Buffer.from("page") },
    { type: RecordType.extents, refs: 3, plaintext: fixed("long", 5000) },
  ];
  return {
    idKey: toHex(keys.idKey(group)),
    ids: cases.map(({ type, refs: count, plaintext }) => {
      const refs = fixed("refs", count * 32);
      const id = chunkId(keys.idKey(group), type, refs, plaintext);
      return { type, refs: toHex(refs), plaintext: toHex(plaintext), id: toHex(id) };
    }),
  };
}

function recordVectors(): unknown {
  const line = Buffer.alloc(2000, "the same line again\n");
  const cases = [
    { name: "empty data", type: RecordType.data, refs: 0, plaintext: Buffer.alloc(0) },
    { name: "data, stored", type: RecordType.data, refs: 0, plaintext: fixed("noise", 200) },
    { name: "data, zstd", type: RecordType.data, refs: 0, plaintext: line },
    { name: "directory page, stored", type: RecordType.directory, refs: 3, plaintext: fixed("directory page", 90) },
    { name: "directory page, zstd", type: RecordType.directory, refs: 1, plaintext: line },
    { name: "extent page, stored", type: RecordType.extents, refs: 2, plaintext: fixed("extent page", 80) },
    { name: "xattrs, stored", type: RecordType.xattrs, refs: 0, plaintext: fixed("xattrs", 70) },
  ];
  return {
    secrets: secretsJson,
    group,
    records: cases.map(({ name, type, refs: count, plaintext }) => {
      const refs = fixed("refs", count * 32);
      const record = sealRecord({ keys, group, type, plaintext, refs, iv: fixed(`iv ${name}`, 16) });
      const { id, iv, compression } = parseRecordHeader(record);
      return {
        name,
        type,
        compression,
        refs: toHex(refs),
        plaintext: toHex(plaintext),
        iv: toHex(iv),
        id: toHex(id),
        record: toHex(record),
      };
    }),
  };
}

function snapshotVectors(): unknown {
  const header = {
    flags: { incomplete: true },
    group,
    deviceId: fixed("device id", 16),
    itemId: fixed("item id", 16),
    sequence: 2,
    previous: fixed("previous", 32),
    root: fixed("root", 32),
  };
  const body = {
    time: "2026-01-02T03:04:05.678Z",
    device: "laptop",
    item: "home",
    host: "laptop.example",
    paths: ["/home/zoë", "/srv/\\xff"],
    files: 3,
    dirs: 2,
    others: 1,
    bytes: 123456789012,
    warnings: 0,
    agent: "0.1.0",
    chunker: "fastcdc-1",
    features: { read: [] },
  };
  const iv = fixed("snapshot iv", 16);
  const { id, bytes } = encodeSnapshot({ keys, header, body, iv });
  const { flags, sequence, deviceId, itemId, previous, root } = header;
  return {
    secrets: secretsJson,
    header: {
      flags,
      keyEpoch: 2,
      vaultId: secretsJson.vaultId,
      group,
      deviceId: toHex(deviceId),
      itemId: toHex(itemId),
      sequence,
      previous: toHex(previous),
      root: toHex(root),
    },
    body,
    iv: toHex(iv),
    id: toHex(id),
    snapshot: toHex(bytes),
  };
}

async function keysVectors(): Promise<unknown> {
  const password = "Pâsswörd with a \u{1f511}";
  const kdf = { suite: 1 as const, iterations: 210_000, salt: fixed("kdf salt", 32) };
  const { l, r } = await deriveLogin(password, kdf);
  const e = fixed("e", 16);
  const device = toHex(fixed("device id", 16));
  const recoveryPrivate = fixed("recovery private", 32);
  const devicePrivate = fixed("device private", 32);
  const place = { vault: secretsJson.vaultId, account: toHex(fixed("account id", 16)), epoch: 2 };
  const box = (bytes: Buffer): string => bytes.toString("base64");
  const publicBox = (privateKey: Buffer, context: string, label: string): string =>
    box(
      sealPublicBox(publicKeyOf(privateKey), context, e, {
        ephemeralPrivate: fixed(`${label} ephemeral private`, 32),
        salt: fixed(`${label} box salt`, 32),
      }),
    );
  const ring = sealBox(
    ringKey(e, secrets.vaultId, 2),
    ringContext(place.vault, 2),
    encodeRing(secrets),
    fixed("ring box salt", 32),
  );
  const document: KeysDocument = {
    format: "holdfast-keys",
    version: 1,
    vault: place.vault,
    account: place.account,
    generation: 3,
    epoch: 2,
    ring: box(ring),
    wraps: [
      {
        kind: "password",
        kdf: { ...kdf, salt: box(kdf.salt) },
        box: box(sealBox(r, wrapContext(place, "password"), e, fixed("password box salt", 32))),
      },
      {
        kind: "recovery",
        public: box(publicKeyOf(recoveryPrivate)),
        box: publicBox(recoveryPrivate, wrapContext(place, "recovery"), "recovery"),
      },
      {
        kind: "device",
        device,
        public: box(publicKeyOf(devicePrivate)),
        box: publicBox(devicePrivate, wrapContext(place, "device", device), "device"),
      },
    ],
  };
  const salts = ["ring", "password", "recovery", "device"].map((name) => [name, toHex(fixed(`${name} box salt`, 32))]);
  const ephemerals = ["recovery", "device"].map((name) => [name, toHex(fixed(`${name} ephemeral private`, 32))]);
  return {
    password,
    l: toHex(l),
    r: toHex(r),
    e: toHex(e),
    recoveryKey: formatRecoveryKey("account", recoveryPrivate),
    recoveryPrivate: toHex(recoveryPrivate),
    gatewayRecoveryKey: formatRecoveryKey("gateway", fixed("gateway recovery private", 32)),
    gatewayRecoveryPrivate: toHex(fixed("gateway recovery private", 32)),
    device,
    devicePrivate: toHex(devicePrivate),
    devicePublic: toHex(publicKeyOf(devicePrivate)),
    secrets: secretsJson,
    boxSalts: Object.fromEntries(salts),
    ephemeralPrivates: Object.fromEntries(ephemerals),
    document,
    vaultDocument: createVaultDocument({
      id: place.vault,
      account: place.account,
      name: "main",
      created: "2026-01-02T03:04:05Z",
    }),
  };
}

/** A file in runs: `hole` zeros, or the text repeated (and cut) to `length` bytes. */
type Run = { readonly hole: number } | { readonly text: string; readonly length: number };

function fileHashVectors(): unknown {
  const MiB = 1 << 20;
  const files: Run[][] = [
    [{ text: "x", length: 1 }],
    [{ hole: 1 }],
    [{ text: "hold fast ", length: 5000 }],
    [{ text: "hold fast ", length: MiB }],
    [{ text: "hold fast ", length: MiB + 1 }],
    [{ text: "hold fast ", length: 3 * MiB }],
    [{ hole: MiB }],
    [{ hole: MiB + 1 }],
    [{ hole: 5 * MiB }, { text: "data after a hole", length: 1000 }],
    [{ text: "first", length: 100 }, { hole: 6 * MiB - 100 }, { text: "last", length: 100 }],
    [{ hole: 2 ** 39 }, { text: "a mebibyte in a tebibyte", length: MiB }, { hole: 2 ** 39 - MiB }],
  ];
  return {
    fileHashKey: toHex(keys.fileHashKey),
    files: files.map((runs) => {
      const hasher = new FileHasher(keys.fileHashKey);
      for (const run of runs) {
        if ("hole" in run) hasher.skipZeros(run.hole);
        else hasher.update(Buffer.alloc(run.length, run.text));
      }
      return { runs, hash: toHex(hasher.digest()!) };
    }),
  };
}

const vectors: Record<string, unknown> = {
  "derived-keys.json": derivedVectors(),
  "chunk-ids.json": chunkIdVectors(),
  "records.json": recordVectors(),
  "snapshot.json": snapshotVectors(),
  "keys-document.json": await keysVectors(),
  "file-hashes.json": fileHashVectors(),
};

const existing = Object.keys(vectors).filter((name) => existsSync(join(import.meta.dirname, name)));
if (existing.length > 0) {
  console.error(`Golden vectors are never made again: ${existing.join(", ")} exist. Nothing was written.`);
  process.exit(1);
}
for (const [name, value] of Object.entries(vectors)) {
  writeFileSync(join(import.meta.dirname, name), `${JSON.stringify(value, null, 1)}\n`, { flag: "wx" });
}
