// An app password as somebody shows it, and what it costs to work out of it. Clients of WebDAV show the same one with each of
// thousands of requests, so what was worked out is kept as long as their connection is; it is no verdict (see AppPasswords).

import { appPasswordHash, idOf, readAppPassword } from "./appPasswordText.ts";

/** Stands for whoever is not there: no row has these. */
const nobody = { account: "0".repeat(32), body: "0".repeat(35) };

export class PresentedPassword {
  readonly accountName: string;
  /** The id in it, also where it is none. */
  readonly id: string;
  /** Whether it can be one at all. */
  readonly isOne: boolean;
  readonly #body: string;
  #hashed: { readonly account: string; readonly hash: Buffer } | undefined;

  constructor(accountName: string, password: string) {
    const body = readAppPassword(password);
    this.accountName = accountName;
    this.isOne = body !== undefined;
    this.#body = body ?? nobody.body;
    this.id = idOf(this.#body);
  }

  /** What the catalog has for it if it is one of this account (its id; undefined for an unknown one). */
  hashFor(account: string = nobody.account): Buffer {
    if (this.#hashed?.account !== account)
      this.#hashed = { account, hash: appPasswordHash(account, this.#body) };
    return this.#hashed.hash;
  }
}
