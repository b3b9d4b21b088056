import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { fromHex, toHex } from "../../../vault/bytes.ts";
import {
  boxDatabaseKey,
  boxRecoveryKey,
  openBoxKey,
  openBoxKeyAtDatacentre,
  openBoxSecrets,
  parseBoxDocument,
} from "../../../vault/seed/boxDocument.ts";
import { manifestHash, openSeedManifest, signSeedManifest } from "../../../vault/seed/manifest.ts";
import { boxId, manifest, signer } from "./sampleSeed.ts";

type Vector = {
  readonly passphrase: string;
  readonly unlockKey: string;
  readonly boxKey: string;
  readonly document: string;
  readonly secrets: { readonly text: string; readonly sealed: string };
  readonly derived: { readonly recovery: string; readonly catalog: string };
  readonly manifest: { readonly signer: string; readonly text: string; readonly sha256: string };
};
const path = join(import.meta.dirname, "../../vectors/seed.json");
const vector = JSON.parse(readFileSync(path, "utf8")) as Vector;

test("box.json, secrets and keys of the golden vector", async () => {
  const document = parseBoxDocument(Buffer.from(vector.document));
  const boxKey = fromHex(vector.boxKey, 32);
  expect(await openBoxKey(document, vector.passphrase)).toEqual(boxKey);
  expect(openBoxKeyAtDatacentre(document, fromHex(vector.unlockKey, 32))).toEqual(boxKey);
  const sealed = Buffer.from(vector.secrets.sealed, "base64");
  expect(openBoxSecrets(boxKey, boxId, sealed).toString()).toBe(vector.secrets.text);
  expect(toHex(boxRecoveryKey(boxKey, boxId))).toBe(vector.derived.recovery);
  expect(boxDatabaseKey(boxKey, boxId, "catalog")).toBe(vector.derived.catalog);
});

test("the manifest of the golden vector", () => {
  const bytes = Buffer.from(vector.manifest.text);
  expect(openSeedManifest(bytes, vector.manifest.signer)).toEqual(manifest);
  expect(signSeedManifest(manifest, signer)).toEqual(bytes);
  expect(manifestHash(bytes)).toBe(vector.manifest.sha256);
});
