// The name of a gateway's public key: `SHA256:<64 hex>` of its SubjectPublicKeyInfo in DER. The key is pinned, not the
// certificate, so a renewed certificate goes on working.

import { createHash, X509Certificate } from "node:crypto";
import { ErrorCode, HoldfastError } from "../../vault/errors.ts";

const form = /^SHA256:[0-9a-f]{64}$/;

/** The fingerprint of a certificate's public key (DER or PEM). */
export function fingerprintOf(certificate: Uint8Array | string): string {
  const spki = new X509Certificate(certificate).publicKey.export({ format: "der", type: "spki" });
  return `SHA256:${createHash("sha256").update(spki).digest("hex")}`;
}

/**
 * Reads a fingerprint as people paste it: hex in any case, with or without colons and spaces.
 * @throws HoldfastError usage
 */
export function parseFingerprint(text: string): string {
  const hex = text
    .trim()
    .replace(/^sha256:/i, "")
    .replace(/[:\s]/g, "")
    .toLowerCase();
  const fingerprint = `SHA256:${hex}`;
  if (!form.test(fingerprint)) {
    throw new HoldfastError(
      ErrorCode.usage,
      `not a fingerprint of the form SHA256:<64 hex digits>: ${text}`,
      {
        next: "`holdfast gateway status` shows it on the gateway.",
      },
    );
  }
  return fingerprint;
}
