// Secrets that somebody committed: keys, tokens and passwords by the forms that they have. What is meant to be there, in tests and vectors, is
// allowed by its file and the hash of what was found, so that a second one beside it is not.

import { createHash } from "node:crypto";
import { place, type SourceFile } from "./files.ts";

const forms: readonly (readonly [string, RegExp])[] = [
  ["a private key", /-----BEGIN (?:[A-Z]+ )*PRIVATE KEY-----\s*[A-Za-z0-9+/=\s]{32,}/g],
  ["a PuTTY key", /PuTTY-User-Key-File-\d/g],
  ["an age key", /\bAGE-SECRET-KEY-1[A-Z0-9]{50,}/g],
  ["an AWS key id", /\b(?:AKIA|ASIA|ABIA|ACCA)[A-Z2-7]{16}\b/g],
  [
    "an AWS secret key",
    /\baws_?secret_?(?:access_?)?key["']?\s*[:=]\s*["']?[A-Za-z0-9/+]{40}(?![A-Za-z0-9/+])/gi,
  ],
  ["a GitHub token", /\b(?:gh[pousr]_[A-Za-z0-9]{36,}|github_pat_\w{60,})/g],
  ["a GitLab token", /\bglpat-[\w-]{20,}/g],
  ["an npm token", /\bnpm_[A-Za-z0-9]{36}\b/g],
  ["a token for npm", /_authToken\s*=\s*(?!\$)[^\s]{8,}/g],
  ["a Slack token", /\bxox[abprs]-[A-Za-z0-9-]{10,}/g],
  ["a Google key", /\bAIza[\w-]{35}\b/g],
  ["a Stripe key", /\b[rs]k_live_[A-Za-z0-9]{20,}/g],
  ["a key of a language model", /\bsk-(?:ant-|proj-)?[A-Za-z0-9_-]{32,}/g],
  ["a signed web token", /\beyJ[\w-]{15,}\.eyJ[\w-]{15,}\.[\w-]{20,}/g],
  [
    "a password in an address",
    /\b[a-z][a-z0-9+.-]{1,15}:\/\/[^\s:/@"'`<>${}]{1,64}:[^\s:/@"'`<>${}]{3,128}@[\w.-]+/gi,
  ],
  ["a token of ours", /\bhf[adlmrvx]_[A-Za-z0-9_-]{43}(?![A-Za-z0-9_-])/g],
  ["a recovery or escrow key of ours", /\bHF[AGE](?:-[0-9A-HJKMNP-TV-Z]{8}){6,}/g],
  ["an app password of ours", /\bhfp-(?:[A-Z2-7]{5}-){6}[A-Z2-7]{5}\b/g],
];

/** SHA-256 of what may be found, the first 16 hex digits, by file. */
export type AllowedSecrets = Readonly<Record<string, readonly string[]>>;

/** "path:line: what, hash" for each that is not allowed, and each allowance that nothing needs any more. Never the secret itself. */
export function checkSecrets(files: readonly SourceFile[], allowed: AllowedSecrets): string[] {
  const violations: string[] = [];
  const used = new Set<string>();
  for (const file of files) {
    for (const [what, form] of forms) {
      for (const { 0: text, index } of file.text.matchAll(form)) {
        const hash = createHash("sha256").update(text).digest("hex").slice(0, 16);
        if (allowed[file.path]?.includes(hash)) used.add(`${file.path} ${hash}`);
        else violations.push(`${place(file, index)}: ${what}, ${hash}`);
      }
    }
  }
  for (const [path, hashes] of Object.entries(allowed)) {
    for (const hash of hashes)
      if (!used.has(`${path} ${hash}`)) violations.push(`${path}: ${hash} is allowed and not there`);
  }
  return violations;
}
