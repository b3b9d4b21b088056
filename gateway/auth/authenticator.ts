// Who is asking: logins by password, tokens of devices and of persons.
//
// Invariants
// - An unknown account costs what a known one costs (a bcrypt against a hash that nothing fits) and answers the same,
//   also for its KDF parameters: its salt is invented, but always the same one.
// - A principal names one account; everything that a request may see is looked up below it.

import { createHmac, randomBytes } from "node:crypto";
import { ErrorCode, HoldfastError, isHoldfastError } from "../../vault/errors.ts";
import { limits } from "../../vault/limits.ts";
import type { Audit } from "../audit/audit.ts";
import type { Account } from "../catalog/accounts.ts";
import type { Catalog } from "../catalog/catalog.ts";
import type { Device } from "../catalog/devices.ts";
import { accountAdmits, addressRefused, requireAddress } from "./accountAddresses.ts";
import { type LoginCounts, LoginThrottle, networkOf } from "./loginThrottle.ts";
import { LoginTokens, loginSeconds } from "./loginTokens.ts";
import { PasswordHasher } from "./passwordHash.ts";
import { SecondFactor } from "./secondFactor.ts";
import { Suspects } from "./suspects.ts";
import { tokenHash, tokenKind } from "./tokens.ts";
import type { SecretOwner } from "./totpSecret.ts";

export type Principal =
  | { readonly kind: "login"; readonly account: Account }
  | { readonly kind: "device"; readonly account: Account; readonly device: Device };

export type AuthenticatorOptions = {
  readonly catalog: Catalog;
  /** This gateway: its secret makes invented salts, and seals what authenticators have. */
  readonly owner: SecretOwner;
  readonly audit: Pick<Audit, "note">;
  readonly now: () => Date;
  readonly monotonicMs?: () => number;
  /** One of its own by default. */
  readonly hasher?: PasswordHasher | undefined;
};

const sourcesMax = 10_000;

export class Authenticator {
  readonly hasher: PasswordHasher;
  /** Told of wrong credentials of all kinds. */
  readonly suspects: Suspects;
  readonly secondFactor: SecondFactor;
  readonly #catalog: Catalog;
  readonly #secret: Uint8Array;
  readonly #throttle: LoginThrottle;
  readonly #logins: LoginTokens;
  /** Account and network, those that were seen last at the end. */
  readonly #sources = new Set<string>();
  /** A hash that no login fits, for unknown accounts. */
  #nobody: Promise<string> | undefined;

  constructor(options: AuthenticatorOptions) {
    this.#catalog = options.catalog;
    this.hasher = options.hasher ?? new PasswordHasher();
    const { catalog, owner, audit, now, monotonicMs = () => performance.now() } = options;
    this.#secret = owner.secret;
    this.suspects = new Suspects(monotonicMs);
    this.secondFactor = new SecondFactor({
      ...{ catalog, owner, now, monotonicMs },
      recoveryUsed: ({ name, id }, left) =>
        audit.note({
          event: "totp.recovery-used",
          outcome: "done",
          actor: { kind: "account", account: name, id },
          subject: { left },
        }),
    });
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
   * Checks a password's L, and the code where the account asks for one, and gives out a login token.
   * @throws HoldfastError auth-failed, auth-throttled, account-disabled, code-required, busy
   */
  async login(
    name: string,
    l: Uint8Array,
    address: string,
    code?: string,
  ): Promise<{ token: string; account: Account; expiresInSeconds: number }> {
    const account = this.#catalog.accounts.byName(name);
    if (account !== undefined && !accountAdmits(account, address)) throw wrong(addressRefused("account"));
    const source = { name: networkOf(address), known: this.#isKnown(account, address) };
    const right = await this.#throttle.run(name.normalize("NFC"), address, async () => {
      this.#nobody ??= this.hasher.hash(randomBytes(24));
      // Awaited for known accounts too: the first login after a start takes equally long for both.
      const nobody = await this.#nobody;
      const fits = await this.hasher.verify(l, account?.loginHash ?? nobody, source);
      return fits && account !== undefined;
    });
    if (!right || account === undefined) throw wrong();
    refuseDisabled(account);
    try {
      this.secondFactor.demand(account, code);
    } catch (error) {
      if (isHoldfastError(error) && error.detail.wrong === true) this.#throttle.failed(account.name, address);
      throw error;
    }
    this.noteSource(account.id, address);
    return { token: this.#logins.issue(account.id), account, expiresInSeconds: loginSeconds };
  }

  /**
   * Who presents this token from `address`.
   * @throws HoldfastError token-invalid, account-disabled; forbidden from an address that the account does not admit
   */
  authenticate(token: string, address: string): Principal {
    const kind = tokenKind(token);
    const hash = tokenHash(token);
    if (kind === "device") {
      const device = this.#catalog.devices.byToken(hash);
      if (device === undefined || device.revoked) throw invalidToken();
      const account = this.#catalog.accounts.get(device.account);
      if (account === undefined) throw invalidToken();
      refuseDisabled(account);
      requireAddress(account, address);
      return { kind, account, device };
    }
    const id = kind === "login" ? this.#logins.account(hash) : undefined;
    const account = id === undefined ? undefined : this.#catalog.accounts.get(id);
    if (account === undefined) throw invalidToken();
    refuseDisabled(account);
    requireAddress(account, address);
    return { kind: "login", account };
  }

  /** Somebody proved to belong to the account from there: logins from there wait for no strangers. */
  noteSource(account: string, address: string): void {
    const key = `${account} ${networkOf(address)}`;
    this.#sources.delete(key);
    this.#sources.add(key);
    for (const oldest of this.#sources) {
      if (this.#sources.size <= sourcesMax) break;
      this.#sources.delete(oldest);
    }
  }

  #isKnown(account: Account | undefined, address: string): boolean {
    return account !== undefined && this.#sources.has(`${account.id} ${networkOf(address)}`);
  }

  /** Ends an account's logins, after its password changed or it was disabled. */
  endLogins(account: string): void {
    this.#logins.revokeAll(account);
  }

  async close(): Promise<void> {
    await this.hasher.close();
  }
}

/** `cause` is for the audit log: the answer is the same. */
function wrong(cause?: HoldfastError): HoldfastError {
  return new HoldfastError(ErrorCode.authFailed, "account and password do not go together", {
    next: "Check the name and the password.",
    cause,
  });
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
