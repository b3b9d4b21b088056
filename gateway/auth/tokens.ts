// Tokens: 32 random bytes, given out once; the gateway keeps their SHA-256 only. Hashing is enough, because a token has
// 256 bits of entropy; and comparing by looking the hash up tells an attacker nothing about a token.

import { hash, randomBytes } from "node:crypto";

/** Prefixes tell people and secret scanners what they look at. */
const prefixes = {
  ...{ device: "hfd_", login: "hfl_", peer: "hfr_", box: "hfx_", metrics: "hfm_", access: "hfa_" },
  // Of an invite: derived from its secret (vault/keys/invite.ts), not issued here.
  invite: "hfv_",
} as const;
export type TokenKind = keyof typeof prefixes;
const kinds: readonly TokenKind[] = ["device", "login", "peer", "box", "metrics", "access", "invite"];

export type IssuedToken = { readonly token: string; readonly hash: Buffer };

/** A fresh token. */
export function issueToken(kind: TokenKind): IssuedToken {
  const token = prefixes[kind] + randomBytes(32).toString("base64url");
  return { token, hash: tokenHash(token) };
}

/** SHA-256 of a token's text. */
export function tokenHash(token: string): Buffer {
  return hash("sha256", token, "buffer");
}

/** The kind that a token claims to be, or undefined for what is none. */
export function tokenKind(token: string): TokenKind | undefined {
  if (token.length !== 47) return undefined;
  return kinds.find((kind) => token.startsWith(prefixes[kind]));
}
