// Home records: which gateway an account's agents back up to, signed by the directory (docs/format.md, section 12.5).
import { ErrorCode, HoldfastError } from "../errors.ts";
import { asArray, asHex, asInteger, asObject, asText, asTime, type JsonObject } from "../jsonFields.ts";
import { hkdf } from "../keys/hkdf.ts";
import { isSignedBy, type SigningKey, signatureBytes } from "../keys/signature.ts";
import { limits } from "../limits.ts";
import { formatVersion, Width } from "../magic.ts";
import { encodeProvenLine, parseLine, splitProvenLine } from "../replica/provenLine.ts";

/** One gateway, and how to reach it. */
export type Home = {
  /** 32 hex digits. */
  readonly gateway: string;
  readonly name: string;
  /** https://HOST:PORT, the first one that answers counts. */
  readonly urls: readonly string[];
  /** SHA256:<64 hex digits> of its public key. */
  readonly fingerprint: string;
};

export type HomeRecord = {
  /** 32 hex digits. */
  readonly account: string;
  /** From 1; only grows. */
  readonly generation: number;
  /** RFC 3339. */
  readonly time: string;
  readonly directory: {
    readonly id: string;
    /** Its Ed25519 public key, 64 hex digits. */
    readonly signer: string;
  };
  readonly home: Home;
  /** Devices with homes of their own. */
  readonly devices: readonly { readonly device: string; readonly home: Home }[];
};

const what = "a home record";

/** The seed of the key that a directory signs home records with, from its gateway secret (32 bytes) and id (16 bytes). */
export function homesSeed(secret: Uint8Array, gatewayId: Uint8Array): Buffer {
  return hkdf(secret, gatewayId, "holdfast homes v1", Width.key);
}

/** Both lines of a record, signed. A record over its limits is a RangeError. */
export function signHomeRecord(record: HomeRecord, key: SigningKey): Buffer {
  const { account, generation, time, directory, home, devices } = record;
  const document = { format: "holdfast-home", version: formatVersion, account, generation, time };
  return encodeProvenLine(
    { ...document, directory, home, devices },
    (line) => key.sign(line),
    limits.signedBytesMax,
  );
}

/**
 * Reads a record that `signer` (64 hex digits) signed.
 * @throws HoldfastError seal-invalid when another key signed it or it was changed; corrupt, truncated, limit-exceeded, unsupported
 */
export function openHomeRecord(bytes: Uint8Array, signer: string): HomeRecord {
  const { line, proof } = splitProvenLine(bytes, signatureBytes, what, limits.signedBytesMax);
  if (!isSignedBy(signer, line, proof)) {
    throw new HoldfastError(ErrorCode.sealInvalid, "a home record was changed, or signed by another key");
  }
  const json = parseLine(line, what);
  if (json.format !== "holdfast-home") throw new HoldfastError(ErrorCode.corrupt, "not a home record");
  const version = asInteger(json.version, `version of ${what}`, 1);
  if (version !== formatVersion) {
    throw new HoldfastError(ErrorCode.unsupported, `a home record of version ${version}`, {
      next: "Use a newer version of this program.",
    });
  }
  const directory = asObject(json.directory, `directory of ${what}`);
  if (directory.signer !== signer)
    throw new HoldfastError(ErrorCode.corrupt, "a home record names another signer");
  return {
    account: asHex(json.account, `account of ${what}`, 16),
    generation: asInteger(json.generation, `generation of ${what}`, 1),
    time: asTime(json.time, `time of ${what}`),
    directory: { id: asHex(directory.id, `directory of ${what}`, 16), signer },
    home: asHome(asObject(json.home, `home of ${what}`)),
    devices: asArray(json.devices, `devices of ${what}`, limits.homeDevicesMax).map((each) => {
      const row = asObject(each, `device of ${what}`);
      return {
        device: asHex(row.device, `device of ${what}`, 16),
        home: asHome(asObject(row.home, `home of ${what}`)),
      };
    }),
  };
}

/** The home of a device: its own, else the account's. `device`: 32 hex digits, or undefined for one that is still to be enrolled. */
export function homeOf(record: Pick<HomeRecord, "home" | "devices">, device: string | undefined): Home {
  return record.devices.find((row) => row.device === device)?.home ?? record.home;
}

function asHome(json: JsonObject): Home {
  const urls = asArray(json.urls, "urls of a home", limits.homeUrlsMax).map((url) => asUrl(url));
  const fingerprint = asText(json.fingerprint, "fingerprint of a home");
  if (!/^SHA256:[0-9a-f]{64}$/.test(fingerprint))
    throw new HoldfastError(ErrorCode.corrupt, "the fingerprint of a home is not SHA256:<64 hex digits>");
  const name = asText(json.name, "name of a home");
  if (name.length > limits.nameBytesMax)
    throw new HoldfastError(ErrorCode.limitExceeded, "the name of a home is too long");
  return { gateway: asHex(json.gateway, "gateway of a home", 16), name, urls, fingerprint };
}

/** An address without path, user or query: nothing but where to connect. */
function asUrl(value: unknown): string {
  const text = asText(value, "url of a home");
  let url: URL | undefined;
  try {
    url = new URL(text);
  } catch {
    // Said below.
  }
  if (url === undefined || url.protocol !== "https:" || url.origin !== text.replace(/\/$/, "")) {
    throw new HoldfastError(ErrorCode.corrupt, "the url of a home is not https://HOST:PORT");
  }
  return url.origin;
}
