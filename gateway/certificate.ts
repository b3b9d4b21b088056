// The gateway's TLS identity: a self-signed EC P-256 certificate, or the administrator's own files.

import "reflect-metadata";
import { randomBytes, webcrypto } from "node:crypto";
import { isIP } from "node:net";
import * as x509 from "@peculiar/x509";

export type TlsIdentity = {
  /** Certificate (chain), PEM. */
  readonly certificate: string;
  /** Private key, PEM. */
  readonly key: string;
};

/** Self-signed certificates are valid so long; clients pin the key and do not look. */
const validYears = 30;

/** Makes a key and a self-signed certificate for a gateway of this name. `names`: further host names and addresses. */
export async function createCertificate(
  name: string,
  names: readonly string[],
  now: Date,
): Promise<TlsIdentity> {
  const algorithm = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" };
  const keys = await webcrypto.subtle.generateKey(algorithm, true, ["sign", "verify"]);
  const notAfter = new Date(now);
  notAfter.setUTCFullYear(now.getUTCFullYear() + validYears);
  // A clock that is somewhat behind must not make a fresh certificate invalid.
  const notBefore = new Date(now.getTime() - 24 * 3600_000);
  const serial = randomBytes(16);
  serial[0]! &= 0x7f;
  const certificate = await x509.X509CertificateGenerator.createSelfSigned(
    {
      serialNumber: serial.toString("hex"),
      name: [{ CN: [name.slice(0, 64)] }],
      notBefore,
      notAfter,
      signingAlgorithm: algorithm,
      keys,
      extensions: [
        new x509.BasicConstraintsExtension(false, undefined, true),
        new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
        new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.serverAuth]),
        new x509.SubjectAlternativeNameExtension(
          [...new Set(["localhost", "127.0.0.1", "::1", ...names])].map((each) => ({
            type: isIP(each) ? ("ip" as const) : ("dns" as const),
            value: each,
          })),
        ),
      ],
    },
    webcrypto,
  );
  const der = Buffer.from(await webcrypto.subtle.exportKey("pkcs8", keys.privateKey));
  return {
    certificate: `${certificate.toString("pem")}\n`,
    key: `-----BEGIN PRIVATE KEY-----\n${der.toString("base64").replace(/.{64}/g, "$&\n").trimEnd()}\n-----END PRIVATE KEY-----\n`,
  };
}
