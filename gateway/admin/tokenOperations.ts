// Access tokens as an administrator makes, lists and revokes them.

import { randomBytes } from "node:crypto";
import { ErrorCode, HoldfastError } from "../../vault/errors.ts";
import { routeRights } from "../api/routeRights.ts";
import { issueToken } from "../auth/tokens.ts";
import type { AccessTokenRow, TokenRole, TokenScope } from "../catalog/accessTokens.ts";
import type { Gateway } from "../gateway.ts";

export type NewAccessToken = {
  readonly role: TokenRole;
  /** What people call it. */
  readonly label: string;
  /** None: all that its role may. */
  readonly scopes: readonly TokenScope[];
  readonly expiresInSeconds: number;
};

export type AccessTokenAnswer = Omit<AccessTokenRow, "hash"> & { readonly expired: boolean };

export interface TokenOperations {
  /** Makes one; `token` is stored nowhere. @throws HoldfastError usage, exists, limit-exceeded */
  create(request: NewAccessToken): Promise<AccessTokenAnswer & { readonly token: string }>;
  list(): Promise<AccessTokenAnswer[]>;
  /** `which`: id or label. @throws HoldfastError not-found */
  revoke(which: string): Promise<AccessTokenAnswer>;
}

const labelCharactersMax = 64;
const expirySecondsMax = 10 * 366 * 86_400;

export class TokenAdministration implements TokenOperations {
  readonly #gateway: Gateway;

  constructor(gateway: Gateway) {
    this.#gateway = gateway;
  }

  async create({ role, label, scopes, expiresInSeconds }: NewAccessToken) {
    const { catalog, now } = this.#gateway;
    if (label === "" || label.length > labelCharactersMax || /\p{C}/u.test(label)) {
      throw new HoldfastError(ErrorCode.usage, `a label is 1 to ${labelCharactersMax} characters`, {
        next: "Say who will use the token: --label monitoring.",
      });
    }
    if (expiresInSeconds < 1 || expiresInSeconds > expirySecondsMax) {
      throw new HoldfastError(ErrorCode.usage, "a token is good for a second at least and ten years at most");
    }
    const useless = scopes.filter((scope) => !scopesOf(role).has(scope));
    if (useless.length > 0) {
      throw new HoldfastError(ErrorCode.usage, `an ${role} may do nothing of ${useless.join(", ")}`, {
        next: `It may: ${[...scopesOf(role)].join(", ")}.`,
      });
    }
    const { token, hash } = issueToken("access");
    const made = now();
    const row: AccessTokenRow = {
      ...{ id: randomBytes(8).toString("hex"), label, role },
      scopes: scopes.length === 0 ? null : [...new Set(scopes)],
      hash: hash.toString("hex"),
      created: made.toISOString(),
      expires: new Date(made.getTime() + expiresInSeconds * 1000).toISOString(),
    };
    catalog.accessTokens.add(row);
    return { ...this.#answer(row), token };
  }

  async list(): Promise<AccessTokenAnswer[]> {
    return this.#gateway.catalog.accessTokens.list().map((row) => this.#answer(row));
  }

  async revoke(which: string): Promise<AccessTokenAnswer> {
    return this.#answer(this.#gateway.catalog.accessTokens.remove(which));
  }

  #answer({ hash: _hash, ...row }: AccessTokenRow): AccessTokenAnswer {
    return { ...row, expired: Date.parse(row.expires) <= this.#gateway.now().getTime() };
  }
}

function scopesOf(role: TokenRole): Set<TokenScope> {
  const rights = Object.values(routeRights);
  return new Set(
    rights.flatMap(({ who, scope }) => (scope !== undefined && who.includes(role) ? [scope] : [])),
  );
}
