// The token file that a datacentre's gateway makes for one that pushes replicas to it: all that is needed to reach it, and to know it again.

import { readFile } from "node:fs/promises";
import { parseFingerprint } from "../../../ingest/client/fingerprint.ts";
import { ErrorCode, HoldfastError, isHoldfastError } from "../../../vault/errors.ts";
import { asHex, asInteger, asObject, asText, parseJson } from "../../../vault/jsonFields.ts";
import { formatVersion } from "../../../vault/magic.ts";
import { fileError } from "../../store/files.ts";

export type PeerToken = {
  /** https://HOST:PORT of the far gateway, as it knows itself. */
  readonly url: string;
  /** Pinned public key, SHA256:<64 hex>. */
  readonly fingerprint: string;
  /** What the far gateway calls us. */
  readonly name: string;
  readonly token: string;
  /** Public key that signs its receipts, 64 hex digits. */
  readonly signer: string;
};

const fileBytesMax = 16 * 1024;

/** The file's text. */
export function formatPeerToken({ url, fingerprint, name, token, signer }: PeerToken): string {
  const head = { format: "holdfast-peer-token", version: formatVersion };
  return `${JSON.stringify({ ...head, url, fingerprint, name, token, signer }, null, 1)}\n`;
}

/** @throws HoldfastError corrupt, limit-exceeded, unsupported, usage */
export function parsePeerToken(text: string): PeerToken {
  const json = asObject(parseJson(text, "the token file", fileBytesMax), "the token file");
  if (json.format !== "holdfast-peer-token") throw new HoldfastError(ErrorCode.corrupt, "not a token file");
  const version = asInteger(json.version, "version of the token file", 1);
  if (version !== formatVersion) {
    throw new HoldfastError(ErrorCode.unsupported, `a token file of version ${version}`, {
      next: "Use a newer version of this program.",
    });
  }
  const token = asText(json.token, "token of the token file");
  if (!/^hfr_[A-Za-z0-9_-]{43}$/.test(token)) {
    throw new HoldfastError(ErrorCode.corrupt, "the token file's token is none");
  }
  return {
    url: asText(json.url, "url of the token file"),
    fingerprint: parseFingerprint(asText(json.fingerprint, "fingerprint of the token file")),
    name: asText(json.name, "name of the token file"),
    token,
    signer: asHex(json.signer, "signer of the token file", 32),
  };
}

/** @throws HoldfastError usage for a file that is no token file, io-error */
export async function readPeerToken(path: string): Promise<PeerToken> {
  try {
    return parsePeerToken(await readFile(path, "utf8"));
  } catch (error) {
    if (!isHoldfastError(error)) throw fileError(error, path);
    throw new HoldfastError(ErrorCode.usage, `${path}: ${error.message}`, {
      next: "Give --token-file the file that `holdfast peer add` wrote on the far gateway.",
      cause: error,
    });
  }
}
