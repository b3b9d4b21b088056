// The data directory of a box (docs/format.md, section 12): what is read of it with the box key, before any database is opened.
//
// Invariants
// - secrets.sealed commits to the box key, and the keys of databases come from the same one: once it opened, they are right.
// - Nothing of what is in secrets.sealed is anywhere else on the disk in the clear.

import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { ErrorCode, HoldfastError } from "../../vault/errors.ts";
import { asArray, asHex, asObject, asText, parseJson } from "../../vault/jsonFields.ts";
import { limits } from "../../vault/limits.ts";
import {
  type BoxDocument,
  boxDatabaseKey,
  boxRecoveryKey,
  openBoxSecrets,
  parseBoxDocument,
  sealBoxSecrets,
} from "../../vault/seed/boxDocument.ts";
import type { TlsIdentity } from "../certificate.ts";
import { gatewaySecret } from "../gatewaySecret.ts";
import { errnoOf, fileError, writeFileDurably } from "../store/files.ts";

export const boxDocumentName = "box.json";

/** What only who has the passphrase may know. */
export type BoxSecrets = {
  readonly tls: TlsIdentity;
  /** What people call the box. */
  readonly name: string;
  /** Of the box, at its datacentre. */
  readonly token: string;
  readonly datacentre: { readonly urls: readonly string[]; readonly fingerprint: string };
  /** By account: the home record that calls its devices back, both lines. */
  readonly recalls: Readonly<Record<string, string>>;
};

export type OpenedBox = {
  readonly document: BoxDocument;
  readonly secrets: BoxSecrets;
  /** 32 bytes. */
  readonly boxKey: Buffer;
  /** 32 bytes, base64. */
  readonly gatewaySecret: string;
};

/** What identifies a data directory's databases; see `databaseKey`. */
type MaybeBox = { readonly box?: Pick<OpenedBox, "boxKey" | "document"> | undefined };

/** box.json of a data directory; undefined where it is no box. @throws HoldfastError io-error, corrupt, unsupported */
export async function readBoxDocument(path: string): Promise<BoxDocument | undefined> {
  const file = join(path, boxDocumentName);
  let bytes: Buffer;
  try {
    bytes = await readFile(file);
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return undefined;
    throw fileError(error, file);
  }
  return parseBoxDocument(bytes);
}

/**
 * Opens what is sealed in a box's directory.
 * @throws HoldfastError key-wrong without the key, or with another; seal-invalid, corrupt; data-dir-invalid where it is not there
 */
export async function openBoxDirectory(
  path: string,
  document: BoxDocument,
  boxKey: Uint8Array | undefined,
): Promise<OpenedBox> {
  if (boxKey === undefined) {
    throw new HoldfastError(
      ErrorCode.keyWrong,
      `${path} is box ${document.box} of ${document.datacentre.name}: it opens with its passphrase`,
      { next: "Give --passphrase-file FILE, or set HOLDFAST_PASSPHRASE.", detail: { box: document.box } },
    );
  }
  const key = Buffer.from(boxKey);
  return {
    document,
    secrets: await readSecrets(path, document.id, key),
    boxKey: key,
    gatewaySecret: boxGatewaySecret(key, document.id).toString("base64"),
  };
}

/** A box's gateway secret (32 bytes): that of the recovery key which comes from its box key. */
export function boxGatewaySecret(boxKey: Uint8Array, id: string): Buffer {
  const recovery = boxRecoveryKey(boxKey, id);
  try {
    return gatewaySecret(recovery, id);
  } finally {
    recovery.fill(0);
  }
}

/** The key of a database of a data directory, `name` being its folder there; undefined where it is no box. */
export function databaseKey({ box }: MaybeBox, name: string): string | undefined {
  return box && boxDatabaseKey(box.boxKey, box.document.id, name);
}

/** What a vault is opened with: both undefined where the data directory is no box. */
export function vaultOfBox(
  dataDir: MaybeBox,
  vault: string,
): {
  readonly indexKey: string | undefined;
  /** Number of a box to restore from: what it promises was left out of it. */
  readonly leftOutBy: number | undefined;
} {
  const document = dataDir.box?.document;
  return {
    indexKey: databaseKey(dataDir, `vaults/${vault}/index`),
    leftOutBy: document?.kind === "restore" ? document.box : undefined,
  };
}

function secretsPath(path: string): string {
  return join(path, "gateway", "secrets.sealed");
}

/** Writes gateway/secrets.sealed. @throws HoldfastError disk-full, io-error */
export async function writeSecrets(
  path: string,
  id: string,
  boxKey: Uint8Array,
  secrets: BoxSecrets,
): Promise<void> {
  const text = Buffer.from(JSON.stringify(secrets));
  await writeFileDurably(secretsPath(path), sealBoxSecrets(boxKey, id, text));
  text.fill(0);
}

/** @throws HoldfastError data-dir-invalid; key-wrong, seal-invalid, corrupt, limit-exceeded */
export async function readSecrets(path: string, id: string, boxKey: Uint8Array): Promise<BoxSecrets> {
  const file = secretsPath(path);
  let sealed: Buffer;
  try {
    sealed = await readFile(file);
  } catch (error) {
    throw new HoldfastError(ErrorCode.dataDirInvalid, `${file} cannot be read`, { cause: error });
  }
  return parseSecrets(openBoxSecrets(boxKey, id, sealed));
}

function parseSecrets(text: Uint8Array): BoxSecrets {
  const what = "secrets of a box";
  const json = asObject(parseJson(text, what), what);
  const tls = asObject(json.tls, `tls in ${what}`);
  const datacentre = asObject(json.datacentre, `datacentre in ${what}`);
  const recalls = Object.entries(asObject(json.recalls, `recalls in ${what}`));
  return {
    tls: { certificate: asText(tls.certificate, "certificate"), key: asText(tls.key, "key") },
    name: asText(json.name, `name in ${what}`),
    token: asText(json.token, `token in ${what}`),
    datacentre: {
      urls: asArray(datacentre.urls, `urls in ${what}`, limits.seedUrlsMax).map((url) => asText(url, "url")),
      fingerprint: asText(datacentre.fingerprint, `fingerprint in ${what}`),
    },
    recalls: Object.fromEntries(
      recalls.map(([account, record]) => [asHex(account, "account", 16), asText(record, "record")]),
    ),
  };
}
