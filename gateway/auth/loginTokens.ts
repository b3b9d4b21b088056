// Login tokens: what a person gets for a password, for some minutes, in memory only.
//
// Invariants
// - At most `perAccount` of an account and `tokensMax` in all; the oldest go first. A restart ends all of them.
// - Expiry is measured by a clock that does not jump (performance.now by default).

import { issueToken } from "./tokens.ts";

type Entry = { readonly account: string; readonly expires: number };

const perAccount = 64;
const tokensMax = 10_000;

/** Seconds that a login lasts. */
export const loginSeconds = 900;

export class LoginTokens {
  /** By hex of the token's hash, oldest first. */
  readonly #tokens = new Map<string, Entry>();
  readonly #monotonicMs: () => number;

  constructor(monotonicMs: () => number = () => performance.now()) {
    this.#monotonicMs = monotonicMs;
  }

  /** Issues a token for an account. */
  issue(account: string): string {
    const { token, hash } = issueToken("login");
    let own = 0;
    for (const entry of this.#tokens.values()) if (entry.account === account) own++;
    for (const [key, entry] of this.#tokens) {
      const expired = entry.expires <= this.#monotonicMs();
      if (expired || (own >= perAccount && entry.account === account) || this.#tokens.size >= tokensMax) {
        this.#tokens.delete(key);
        if (entry.account === account) own--;
      }
    }
    this.#tokens.set(hash.toString("hex"), {
      account,
      expires: this.#monotonicMs() + loginSeconds * 1000,
    });
    return token;
  }

  /** The account of a token that is valid now. */
  account(hash: Buffer): string | undefined {
    const key = hash.toString("hex");
    const entry = this.#tokens.get(key);
    if (entry === undefined) return undefined;
    if (entry.expires > this.#monotonicMs()) return entry.account;
    this.#tokens.delete(key);
    return undefined;
  }

  /** Ends all tokens of an account. */
  revokeAll(account: string): void {
    for (const [key, entry] of this.#tokens) if (entry.account === account) this.#tokens.delete(key);
  }
}
