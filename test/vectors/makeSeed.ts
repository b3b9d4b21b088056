// Makes the golden vector of boxes, once: `node test/vectors/makeSeed.ts`. It refuses to overwrite.
import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { toHex } from "../../vault/bytes.ts";
import { deriveLogin } from "../../vault/keys/kdf.ts";
import {
  boxDatabaseKey,
  boxRecoveryKey,
  createBoxDocument,
  formatBoxDocument,
  sealBoxSecrets,
} from "../../vault/seed/boxDocument.ts";
import { nextCustodyLine, parseCustody } from "../../vault/seed/custody.ts";
import { manifestHash, signSeedManifest } from "../../vault/seed/manifest.ts";
import {
  boxId,
  boxKey,
  facts,
  manifest,
  packListBytes,
  packs,
  signer,
  snapshotListBytes,
  snapshots,
  unlockKey,
} from "../vault/seed/sampleSeed.ts";
import { seededBytes } from "../vault/seeded.ts";

const kdf = { suite: 1, iterations: 210_000, salt: seededBytes("seed salt", 32).toString("base64") } as const;
const passphrase = "correct horse battery staple";
const { r } = await deriveLogin(passphrase, { ...kdf, salt: Buffer.from(kdf.salt, "base64") });
let log = Buffer.alloc(0);
for (const event of ["prepared", "started", "sealed"] as const) {
  const entry = { time: "2026-11-25T10:00:00Z", event, by: "anna", note: "" };
  log = Buffer.concat([log, nextCustodyLine(parseCustody(log), entry)]);
}
const { sha256, last } = parseCustody(log);
const bytes = signSeedManifest(manifest, signer);
const vector = {
  about:
    "A box (docs/format.md, section 12). Names and keys are hex, objects base64; what is sealed was sealed under random salts.",
  passphrase,
  unlockKey: toHex(unlockKey),
  boxKey: toHex(boxKey),
  document: formatBoxDocument(createBoxDocument(facts, boxKey, kdf, r)).toString(),
  secrets: { text: "{}", sealed: sealBoxSecrets(boxKey, boxId, Buffer.from("{}")).toString("base64") },
  derived: {
    recovery: toHex(boxRecoveryKey(boxKey, boxId)),
    catalog: boxDatabaseKey(boxKey, boxId, "catalog"),
  },
  manifest: { signer: signer.publicKey, text: bytes.toString(), sha256: manifestHash(bytes) },
  packs: {
    rows: packs.map((row) => ({ ...row, name: toHex(row.name) })),
    object: packListBytes().toString("base64"),
  },
  snapshots: {
    rows: snapshots.map((row) => ({ ...row, object: toHex(row.object) })),
    object: snapshotListBytes().toString("base64"),
  },
  custody: { text: log.toString(), sha256, last },
};
const path = join(import.meta.dirname, "seed.json");
if (existsSync(path)) throw new Error(`${path} exists: golden vectors are made once`);
writeFileSync(path, `${JSON.stringify(vector, null, 1)}\n`);
