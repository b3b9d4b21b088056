// Who this machine is to its gateway: agent.json in the state directory, with the device's private key and token.
// Whoever has it can back up and read as this device, so only its owner may read it.

import { join } from "node:path";
import { ErrorCode, HoldfastError } from "../../vault/errors.ts";
import {
  asArray,
  asHex,
  asInteger,
  asObject,
  asText,
  asTime,
  fromBase64,
  type JsonObject,
  parseJson,
} from "../../vault/jsonFields.ts";
import { limits } from "../../vault/limits.ts";
import { readIfThere, replaceFile } from "./durableFile.ts";

export type Enrollment = {
  readonly format: "holdfast-agent";
  readonly version: 1;
  readonly gateway: { readonly url: string; readonly fingerprint: string };
  readonly account: { readonly id: string; readonly name: string };
  readonly device: { readonly id: string; readonly name: string; readonly group: number };
  /** The vault that this device backs up to, 32 hex. */
  readonly vault: string;
  /** KDF iterations at enrolment: a gateway that asks for fewer later is refused. */
  readonly kdfIterations: number;
  /** X25519, base64. */
  readonly privateKey: string;
  readonly token: string;
  /** RFC 3339. */
  readonly enrolled: string;
  /** The gateway lets it add, and read nothing. Absent for others. */
  readonly appendOnly?: true;
  /** The directory of homes that this machine trusts; learnt from the gateway that was pinned. */
  readonly directory?: Directory;
  /** The newest home record that was seen, both lines. */
  readonly homeRecord?: string;
};

export type Directory = {
  /** Gateway id, 32 hex. */
  readonly id: string;
  readonly urls: readonly string[];
  readonly fingerprint: string;
  /** Ed25519, 64 hex. */
  readonly signer: string;
};

const formatVersion = 1;
const privateKeyBytes = 32;

function path(state: string): string {
  return join(state, "agent.json");
}

/** The enrolment in a state directory, undefined when it has none. @throws HoldfastError data-dir-invalid, unsupported */
export function findEnrollment(state: string): Enrollment | undefined {
  const text = readIfThere(path(state));
  if (text === undefined) return undefined;
  try {
    return parseEnrollment(text);
  } catch (error) {
    if (error instanceof HoldfastError && error.code === ErrorCode.unsupported) throw error;
    throw new HoldfastError(ErrorCode.dataDirInvalid, `${path(state)} is damaged`, {
      next: "Enroll this device again in another state directory.",
      cause: error,
    });
  }
}

/** @throws HoldfastError data-dir-invalid when there is none or it is damaged; unsupported */
export function readEnrollment(state: string): Enrollment {
  const enrollment = findEnrollment(state);
  if (enrollment !== undefined) return enrollment;
  throw new HoldfastError(
    ErrorCode.dataDirInvalid,
    `this machine is not enrolled: ${state} holds no agent.json`,
    {
      next: "Enroll it with `holdfast agent enroll URL --account NAME`, or name the right --state directory.",
      detail: { path: state },
    },
  );
}

/** Writes the enrolment. @throws HoldfastError disk-full, io-error */
export function writeEnrollment(state: string, enrollment: Enrollment): void {
  replaceFile(path(state), `${JSON.stringify(enrollment, null, 1)}\n`);
}

function parseEnrollment(text: string): Enrollment {
  const json = asObject(parseJson(text, "agent.json"), "agent.json");
  if (json.format !== "holdfast-agent")
    throw new HoldfastError(ErrorCode.corrupt, "not an agent's enrolment");
  const version = asInteger(json.version, "version", 1);
  if (version !== formatVersion) {
    throw new HoldfastError(
      ErrorCode.unsupported,
      `agent.json has version ${version}; this program knows 1`,
      {
        next: "Use a newer version of this program.",
      },
    );
  }
  const gateway = asObject(json.gateway, "gateway");
  const account = asObject(json.account, "account");
  const device = asObject(json.device, "device");
  const privateKey = asText(json.privateKey, "private key");
  if (fromBase64(privateKey, "private key").length !== privateKeyBytes) {
    throw new HoldfastError(ErrorCode.corrupt, "the private key has another length");
  }
  return {
    format: "holdfast-agent",
    version: 1,
    gateway: { url: asText(gateway.url, "url"), fingerprint: asText(gateway.fingerprint, "fingerprint") },
    account: { id: asHex(account.id, "account id", 16), name: asText(account.name, "account name") },
    device: {
      id: asHex(device.id, "device id", 16),
      name: asText(device.name, "device name"),
      group: asInteger(device.group, "group", 1, 0xffff_ffff),
    },
    vault: asHex(json.vault, "vault", 16),
    kdfIterations: asInteger(json.kdfIterations, "KDF iterations", 1),
    privateKey,
    token: asText(json.token, "token"),
    enrolled: asTime(json.enrolled, "enrolled"),
    ...(json.appendOnly === true && { appendOnly: true }),
    ...(json.directory !== undefined && {
      directory: parseDirectory(asObject(json.directory, "directory")),
    }),
    ...(json.homeRecord !== undefined && { homeRecord: asText(json.homeRecord, "home record") }),
  };
}

/** Who a gateway says is its directory. @throws HoldfastError corrupt, limit-exceeded */
export function parseDirectory(json: JsonObject): Directory {
  return {
    id: asHex(json.id, "id of the directory", 16),
    urls: asArray(json.urls, "urls of the directory", limits.homeUrlsMax).map((url) => asText(url, "url")),
    fingerprint: asText(json.fingerprint, "fingerprint of the directory"),
    signer: asHex(json.signer, "signer of the directory", 32),
  };
}
