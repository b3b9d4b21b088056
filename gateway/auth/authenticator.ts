// Who is asking: logins by password, tokens of devices and of persons.
//
// Invariants
// - An unknown account costs what a known one costs (a bcrypt against a hash that nothing fits) and answers the same,
//   also for its KDF parameters: its salt is invented, but always the same one.
// - A principal names one account; everything that a request may see is looked up below it.

import { createHmac, randomBytes } from "node:crypto";
import { ErrorCode, HoldfastError } from "../../vault/errors.ts";
import { limits } from "../../vault/limits.ts";
import type { Account } from "../catalog/accounts.ts";
import type { Catalog } from "../catalog/catalog.ts";
import type { Device } from "../catalog/devices.ts";
import { type LoginCounts, LoginThrottle } from "./loginThrottle.ts";
import { LoginTokens, loginSeconds } from "./loginTokens.ts";
import { PasswordHasher } from "./passwordHash.ts";
import { tokenHash, tokenKind } from "./tokens.ts";

export type Principal =
  | { readonly kind: "login"; readonly account: Account }
  | { readonly kind: "device"; readonly account: Account; readonly device: Device };

export type AuthenticatorOptions = {
  readonly catalog: Catalog;
  /** 32 random bytes of this gateway, for invented salts. */
  readonly secret: Uint8Array;
  readonly monotonicMs?: () => number;
};

export class Authenticator {
  readonly hasher = new PasswordHasher();
  readonly #catalog: Catalog;
  readonly #secret: Uint8Array;
  readonly #throttle: LoginThrottle;
  readonly #logins: LoginTokens;
  /** A hash that no login fits, for unknown accounts. */
  #nobody: Promise<string> | undefined;

  constructor(options: AuthenticatorOptions) {
    this.#catalog = options.catalog;
    this.#secret = options.secret;
    this.#throttle = new LoginThrottle(options.monotonicMs);
    this.#logins = new LoginTokens(options.monotonicMs);
  }

  get loginCounts(): Readonly<LoginCounts> {
    return this.#throttle.counts;
  }

  /** How an account's password becomes L; for an unknown account what it would look like. Salt in base64. */
  kdf(name: string): { suite: 1; iterations: number; salt: string } {
    const known = this.#catalog.accounts.byName(name)?.kdf;
    // Computed in both cases, so that time does not tell.
    const salt = createHmac("sha256", this.#secret)
      .update("salt\0")
      .update(name.normalize("NFC"))
      .digest("base64");
    return known ?? { suite: 1, iterations: limits.kdfIterationsDefault, salt };
  }

  /**
   * Checks a password's L and gives out a login token.
   * @throws HoldfastError auth-failed, auth-throttled, account-disabled, busy
   */
  async login(
    name: string,
    l: Uint8Array,
    address: string,
  ): Promise<{ token: string; account: Account; expiresInSeconds: number }> {
    const account = this.#catalog.accounts.byName(name);
    const right = await this.#throttle.run(name.normalize("NFC"), address, async () => {
      this.#nobody ??= this.hasher.hash(randomBytes(24));
      // Awaited for known accounts too: the first login after a start takes equally long for both.
      const nobody = await this.#nobody;
      const fits = await this.hasher.verify(l, account?.loginHash ?? nobody);
      return fits && account !== undefined;
    });
    if (!right || account === undefined) {
      throw new HoldfastError(ErrorCode.authFailed, "account and password do not go together", {
        next: "Check the name and the password.",
      });
    }
    refuseDisabled(account);
    return { token: this.#logins.issue(account.id), account, expiresInSeconds: loginSeconds };
  }

  /**
   * Who presents this token.
   * @throws HoldfastError token-invalid, account-disabled
   */
  authenticate(token: string): Principal {
    const kind = tokenKind(token);
    const hash = tokenHash(token);
    if (kind === "device") {
      const device = this.#catalog.devices.byToken(hash);
      if (device === undefined || device.revoked) throw invalidToken();
      const account = this.#catalog.accounts.get(device.account);
      if (account === undefined) throw invalidToken();
      refuseDisabled(account);
      return { kind, account, device };
    }
    const id = kind === "login" ? this.#logins.account(hash) : undefined;
    const account = id === undefined ? undefined : this.#catalog.accounts.get(id);
    if (account === undefined) throw invalidToken();
    refuseDisabled(account);
    return { kind: "login", account };
  }

  /** Ends an account's logins, after its password changed or it was disabled. */
  endLogins(account: string): void {
    this.#logins.revokeAll(account);
  }

  async close(): Promise<void> {
    await this.hasher.close();
  }
}

function invalidToken(): HoldfastError {
  return new HoldfastError(ErrorCode.tokenInvalid, "the token is unknown, expired or revoked", {
    next: "Log in again; a device enrols again if it should still be allowed.",
  });
}

/** @throws HoldfastError account-disabled */
export function refuseDisabled(account: Account): void {
  if (!account.disabled) return;
  throw new HoldfastError(ErrorCode.accountDisabled, "this account is disabled", {
    next: "Ask the administrator; nothing that was backed up is lost.",
  });
}
