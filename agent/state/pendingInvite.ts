// enrolling.json: what this machine chose when it claimed an invite, until it is enrolled. Written before the claim is sent, so that a machine that was
// stopped in between, or whose answer was lost, asks again as the one that it was: an invite is claimed once.

import { rmSync } from "node:fs";
import { join } from "node:path";
import { ErrorCode, HoldfastError } from "../../vault/errors.ts";
import { asHex, asObject, fromBase64, parseJson } from "../../vault/jsonFields.ts";
import { readIfThere, replaceFile } from "./durableFile.ts";

export type PendingInvite = {
  /** Ids, 32 hex. */
  readonly invite: string;
  readonly device: string;
  /** X25519, 32 bytes. */
  readonly privateKey: Buffer;
  /** 32 random bytes. */
  readonly claim: Buffer;
};

function path(state: string): string {
  return join(state, "enrolling.json");
}

/** @throws HoldfastError data-dir-invalid when it is damaged */
export function findPendingInvite(state: string): PendingInvite | undefined {
  const text = readIfThere(path(state));
  if (text === undefined) return undefined;
  try {
    const json = asObject(parseJson(text, "enrolling.json"), "enrolling.json");
    return {
      invite: asHex(json.invite, "invite", 16),
      device: asHex(json.device, "device", 16),
      privateKey: keyOf(json.privateKey),
      claim: keyOf(json.claim),
    };
  } catch (error) {
    throw new HoldfastError(ErrorCode.dataDirInvalid, `${path(state)} is damaged`, {
      next: "Remove it, and enrol with a new invite.",
      cause: error,
    });
  }
}

function keyOf(value: unknown): Buffer {
  const bytes = fromBase64(value, "key");
  if (bytes.length === 32) return bytes;
  throw new HoldfastError(ErrorCode.corrupt, "a key has another length");
}

/** @throws HoldfastError disk-full, io-error */
export function writePendingInvite(state: string, { privateKey, claim, ...ids }: PendingInvite): void {
  const keys = { privateKey: privateKey.toString("base64"), claim: claim.toString("base64") };
  replaceFile(path(state), `${JSON.stringify({ ...ids, ...keys }, null, 1)}\n`);
}

/** It is enrolled. */
export function removePendingInvite(state: string): void {
  rmSync(path(state), { force: true });
}
