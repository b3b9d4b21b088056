// A certificate authority of the test's own, as a company or a public one would sign a gateway's certificate.

import "reflect-metadata";
import { webcrypto } from "node:crypto";
import { writeFileSync } from "node:fs";
import { isIP } from "node:net";
import { join } from "node:path";
import * as x509 from "@peculiar/x509";

const algorithm = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" };
const dayMs = 24 * 3600_000;

/** PEM files of a certificate with its chain, and of its key. */
export type Signed = { readonly certificate: string; readonly key: string };

export class Authority {
  /** PEM file of its own certificate. */
  readonly file: string;
  readonly #folder: string;
  readonly #keys: webcrypto.CryptoKeyPair;
  readonly #certificate: x509.X509Certificate;

  private constructor(folder: string, keys: webcrypto.CryptoKeyPair, certificate: x509.X509Certificate) {
    this.#folder = folder;
    this.#keys = keys;
    this.#certificate = certificate;
    this.file = join(folder, "authority.pem");
    writeFileSync(this.file, certificate.toString("pem"));
  }

  static async create(folder: string): Promise<Authority> {
    const keys = await webcrypto.subtle.generateKey(algorithm, true, ["sign", "verify"]);
    const certificate = await x509.X509CertificateGenerator.createSelfSigned(
      {
        serialNumber: "01",
        name: "CN=Test Authority",
        ...validity(),
        signingAlgorithm: algorithm,
        keys,
        extensions: [
          new x509.BasicConstraintsExtension(true, undefined, true),
          new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign, true),
        ],
      },
      webcrypto,
    );
    return new Authority(folder, keys, certificate);
  }

  /** Signs a certificate for these host names and addresses, in files called `label`. */
  async sign(label: string, hosts: readonly string[]): Promise<Signed> {
    const keys = await webcrypto.subtle.generateKey(algorithm, true, ["sign", "verify"]);
    const certificate = await x509.X509CertificateGenerator.create(
      {
        serialNumber: "02",
        subject: `CN=${label}`,
        issuer: this.#certificate.subject,
        ...validity(),
        signingAlgorithm: algorithm,
        publicKey: keys.publicKey,
        signingKey: this.#keys.privateKey,
        extensions: [
          new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.serverAuth]),
          new x509.SubjectAlternativeNameExtension(
            hosts.map((value) => ({ type: isIP(value) ? ("ip" as const) : ("dns" as const), value })),
          ),
        ],
      },
      webcrypto,
    );
    const der = await webcrypto.subtle.exportKey("pkcs8", keys.privateKey);
    const files = {
      certificate: join(this.#folder, `${label}.pem`),
      key: join(this.#folder, `${label}.key.pem`),
    };
    writeFileSync(
      files.certificate,
      `${certificate.toString("pem")}\n${this.#certificate.toString("pem")}\n`,
    );
    writeFileSync(files.key, x509.PemConverter.encode(der, "PRIVATE KEY"), { mode: 0o600 });
    return files;
  }
}

function validity(): { notBefore: Date; notAfter: Date } {
  return { notBefore: new Date(Date.now() - dayMs), notAfter: new Date(Date.now() + dayMs) };
}
