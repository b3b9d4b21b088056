// A gateway's data directory:
//
//   gateway.json       what this is: format version, id, public half of the gateway's recovery key, secret for salts
//   config.toml        settings that an administrator may change
//   tls/               certificate and key
//   catalog/           accounts, app passwords, devices, vaults, replicas, peers (LMDB)
//   gateway/sealed.json    settings, TLS identity and metadata keys, sealed to the recovery key
//   vaults/<id>/       docs/format.md, section 2
//   peers/<id>/        replicas of other gateways, each laid out as a folder replica (section 11.1)
//   audit/             log of security events (docs/security.md)
//   removals/<account>    statements of what was removed (docs/format.md, section 13)
//   lock, admin.sock   of the running gateway
//   box.json, gateway/secrets.sealed, seed/    of a box (docs/format.md, section 12): then gateway.json has no secret, and there is no tls/
//   before-upgrade/<format>/    the databases as they were before an upgrade (docs/upgrades.md)
//   restore.json       while `gateway restore-from` is at work, or was stopped in it: no gateway yet
//
// Invariants: gateway.json is written last by `init`, so a directory with it is whole; nothing is created where one exists.

import { randomBytes } from "node:crypto";
import { existsSync, readdirSync } from "node:fs";
import { mkdir, readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { fingerprintOf } from "../ingest/client/fingerprint.ts";
import { toHex } from "../vault/bytes.ts";
import { ErrorCode, HoldfastError } from "../vault/errors.ts";
import { generateKeyPair, sealPublicBox } from "../vault/keys/box.ts";
import { formatRecoveryKey } from "../vault/keys/recoveryKey.ts";
import type { TlsIdentity } from "./certificate.ts";
import { demandFileSystem, lookName } from "./fileSystemNeeds.ts";
import { gatewaySecret } from "./gatewaySecret.ts";
import { parseListen } from "./listenAddress.ts";
import { boxDocumentName, type OpenedBox, openBoxDirectory, readBoxDocument } from "./seed/boxDirectory.ts";
import { checkSettings, type GatewaySettings, readSettings, settingsDefault } from "./settings.ts";
import { formatSettings } from "./settingsText.ts";
import { fileError, syncDirectory, writeFileDurably } from "./store/files.ts";
import { formats } from "./upgrade/formats.ts";

/** Says that the directory is a half-done restore (replica/restore/restoreMark.ts). */
export const restoreMarkName = "restore.json";

export type GatewayIdentity = {
  readonly format: "holdfast-gateway";
  /** Of the directory's own tables (upgrade/formats.ts). */
  readonly version: number;
  /** While it is being upgraded: from which format. */
  readonly upgrading?: number;
  /** 32 hex digits. */
  readonly id: string;
  /** RFC 3339. */
  readonly created: string;
  /** X25519, base64: what sealed.json is sealed to. */
  readonly recoveryPublic: string;
  /**
   * 32 bytes, base64, from the recovery key (`gatewaySecret`): roots of replicas, receipts, salts for accounts that do not exist. In the
   * file of a box it is left out: it comes from the box key.
   */
  readonly secret: string;
};

export type DataDir = {
  readonly path: string;
  readonly identity: GatewayIdentity;
  readonly settings: GatewaySettings;
  readonly tls: TlsIdentity;
  readonly fingerprint: string;
  /** What makes it a box, opened. */
  readonly box?: OpenedBox;
};

/** What sealed.json holds, as JSON text inside its public box. */
export type SealedState = {
  readonly settings: GatewaySettings;
  readonly tls: TlsIdentity;
  readonly secret: string;
  /** Metadata keys by vault id, base64. */
  readonly metadataKeys: Readonly<Record<string, string>>;
};

export type InitOptions = {
  readonly settings?: Partial<GatewaySettings>;
  /** Host names and addresses for the self-signed certificate. */
  readonly names?: readonly string[];
  readonly now: Date;
};

/**
 * Creates a data directory (the path may exist if it is empty).
 * @returns the fingerprint, and the gateway's recovery key, which is stored nowhere
 * @throws HoldfastError exists, usage, unsupported (the file system), disk-full, io-error
 */
export async function initDataDir(
  path: string,
  options: InitOptions,
): Promise<{ fingerprint: string; recoveryKey: string; id: string }> {
  const settings = checkSettings({ ...settingsDefault, ...options.settings });
  try {
    await mkdir(path, { recursive: true, mode: 0o700 });
    if ((await readdir(path)).some((name) => name !== lookName)) {
      throw new HoldfastError(ErrorCode.exists, `${path} is not empty`, {
        next: "Choose another directory, or use the gateway that is there.",
      });
    }
    await demandFileSystem(path);
    for (const folder of ["tls", "catalog", "gateway", "vaults"])
      await mkdir(join(path, folder), { mode: 0o700 });
  } catch (error) {
    throw fileError(error, path);
  }
  const { host } = parseListen(settings.listen);
  const names = [...(options.names ?? []), ...(/^(0\.0\.0\.0|::)$/.test(host) ? [] : [host])];
  if (settings.tlsCertificate === "") {
    // The certificate library is large and only needed here.
    const { createCertificate } = await import("./certificate.ts");
    const tls = await createCertificate(settings.name, names, options.now);
    await writeFileDurably(join(path, "tls", "cert.pem"), Buffer.from(tls.certificate));
    await writeFileDurably(join(path, "tls", "key.pem"), Buffer.from(tls.key));
  }
  await writeFileDurably(join(path, "config.toml"), Buffer.from(formatSettings(settings)));
  const tls = await readTls(path, settings);
  const recovery = generateKeyPair();
  const id = toHex(randomBytes(16));
  const identity: GatewayIdentity = {
    format: "holdfast-gateway",
    version: formats.newest,
    id,
    created: options.now.toISOString(),
    recoveryPublic: recovery.publicKey.toString("base64"),
    secret: gatewaySecret(recovery.privateKey, id).toString("base64"),
  };
  const recoveryKey = formatRecoveryKey("gateway", recovery.privateKey);
  recovery.privateKey.fill(0);
  await writeSealedState(path, identity, { settings, tls, secret: identity.secret, metadataKeys: {} });
  await writeFileDurably(join(path, "gateway.json"), Buffer.from(`${JSON.stringify(identity, null, 1)}\n`));
  await syncDirectory(join(path, ".."));
  return { fingerprint: fingerprintOf(tls.certificate), recoveryKey, id: identity.id };
}

/** The context that sealed.json is bound to. */
export function sealedContext(gatewayId: string): string {
  return `holdfast/gateway/${gatewayId}`;
}

/** Writes what the gateway's recovery key alone brings back. @throws HoldfastError disk-full, io-error */
export async function writeSealedState(
  path: string,
  identity: GatewayIdentity,
  state: SealedState,
): Promise<void> {
  const box = sealPublicBox(
    Buffer.from(identity.recoveryPublic, "base64"),
    sealedContext(identity.id),
    Buffer.from(JSON.stringify(state)),
  );
  const document = {
    format: "holdfast-gateway-sealed",
    version: 1,
    gateway: identity.id,
    public: identity.recoveryPublic,
    box: box.toString("base64"),
  };
  await writeFileDurably(
    join(path, "gateway", "sealed.json"),
    Buffer.from(`${JSON.stringify(document, null, 1)}\n`),
  );
}

/**
 * Reads a data directory, also one of an older format. `boxKey`: of a box, without which it stays closed; `newest`: the newest format that is known.
 * @throws HoldfastError data-dir-invalid, unsupported, usage (config.toml); key-wrong for a box
 */
export async function readDataDir(
  path: string,
  boxKey?: Uint8Array,
  newest = formats.newest,
): Promise<DataDir> {
  const file = join(path, "gateway.json");
  if (!existsSync(file)) {
    if (existsSync(join(path, boxDocumentName))) {
      throw new HoldfastError(ErrorCode.dataDirInvalid, `${path} is a half-made box`, {
        next: "Run the same `holdfast seed prepare` again at the datacentre: it goes on where it stopped.",
        detail: { path },
      });
    }
    if (existsSync(join(path, restoreMarkName))) {
      throw new HoldfastError(ErrorCode.dataDirInvalid, `${path} is a half-done restore of a gateway`, {
        next: "Run the same `holdfast gateway restore-from` again: it goes on where it stopped.",
        detail: { path },
      });
    }
    throw new HoldfastError(ErrorCode.dataDirInvalid, `${path} is not a gateway's data directory`, {
      next: "Check the path, or create one with `holdfast gateway init --data DIR`.",
      detail: { path },
    });
  }
  const document = await readBoxDocument(path);
  const box = document && (await openBoxDirectory(path, document, boxKey));
  const identity = parseIdentity(await readFile(file, "utf8"), file, box, newest);
  const own = await readSettings(join(path, "config.toml"));
  if (box === undefined) {
    const tls = await readTls(path, own);
    return { path, identity, settings: own, tls, fingerprint: fingerprintOf(tls.certificate) };
  }
  const { tls, name } = box.secrets;
  const fingerprint = fingerprintOf(tls.certificate);
  return { path, identity, settings: { ...own, name }, tls, fingerprint, box };
}

/**
 * A catalog that is gone beside vaults that are there: an empty one in its place would be a gateway that knows nobody.
 * @throws HoldfastError data-dir-invalid
 */
export function refuseLostCatalog(path: string): void {
  const vaults = join(path, "vaults");
  if (existsSync(join(path, "catalog", "data.mdb"))) return;
  if (!existsSync(vaults) || readdirSync(vaults).length === 0) return;
  throw new HoldfastError(ErrorCode.dataDirInvalid, `${path} has vaults, but its catalog is gone`, {
    next: "Accounts and devices are in replicas alone: `holdfast gateway restore-from` makes the gateway again in a new directory. Keep this one until then: its packs and snapshots are untouched (docs/repair.md).",
    detail: { path },
  });
}

function parseIdentity(
  text: string,
  file: string,
  box: OpenedBox | undefined,
  newest: number,
): GatewayIdentity {
  let identity: Partial<GatewayIdentity>;
  try {
    identity = JSON.parse(text) as typeof identity;
  } catch (error) {
    throw new HoldfastError(ErrorCode.dataDirInvalid, `${file} is damaged`, { cause: error });
  }
  if (identity.format !== "holdfast-gateway" || typeof identity.version !== "number") {
    throw new HoldfastError(ErrorCode.dataDirInvalid, `${file} is not of a Holdfast gateway`);
  }
  if (!(identity.version >= 1 && identity.version <= newest)) {
    throw new HoldfastError(
      ErrorCode.unsupported,
      `${file} is of format version ${identity.version}, this program knows ${newest === 1 ? "version 1" : `versions 1 to ${newest}`}`,
      {
        next: "Use a newer version of this program; `holdfast gateway rollback` goes back to before its upgrade.",
      },
    );
  }
  const { upgrading } = identity;
  if (upgrading !== undefined && !(Number.isSafeInteger(upgrading) && upgrading >= 1)) {
    throw new HoldfastError(ErrorCode.dataDirInvalid, `${file} is damaged: "upgrading" is no format`);
  }
  if (box !== undefined && identity.id !== box.document.id) {
    throw new HoldfastError(
      ErrorCode.dataDirInvalid,
      `${file} is of another gateway than ${boxDocumentName}`,
    );
  }
  if (box !== undefined) identity = { ...identity, secret: box.gatewaySecret };
  for (const field of [identity.id, identity.recoveryPublic, identity.secret]) {
    if (typeof field !== "string") throw new HoldfastError(ErrorCode.dataDirInvalid, `${file} is damaged`);
  }
  return identity as GatewayIdentity;
}

async function readTls(path: string, settings: GatewaySettings): Promise<TlsIdentity> {
  const own = settings.tlsCertificate === "";
  const certificateFile = own ? join(path, "tls", "cert.pem") : settings.tlsCertificate;
  const keyFile = own ? join(path, "tls", "key.pem") : settings.tlsKey;
  try {
    return { certificate: await readFile(certificateFile, "utf8"), key: await readFile(keyFile, "utf8") };
  } catch (error) {
    throw fileError(error, certificateFile);
  }
}
