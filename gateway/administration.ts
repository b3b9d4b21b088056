// What an administrator does to a gateway, in its own process: the admin socket and commands without a running gateway
// both end here. Passwords never come here: the client derives L and R and makes the keys documents.

import { checkName } from "../ingest/wire/names.ts";
import { fromHex } from "../vault/bytes.ts";
import { ErrorCode, HoldfastError } from "../vault/errors.ts";
import { type KeysDocument, parseKeysDocument, withoutDevice } from "../vault/keys/keysDocument.ts";
import { VaultKeys } from "../vault/keys/vaultKeys.ts";
import { limits } from "../vault/limits.ts";
import { parseVaultDocument } from "../vault/vaultDocument.ts";
import { type Account, type StoredKdf, sharedGroup } from "./catalog/accounts.ts";
import type { Device } from "./catalog/devices.ts";
import type { Gateway } from "./gateway.ts";
import { createVaultDirectory } from "./vaultDocuments.ts";

/** A new vault as its owner's client made it. */
export type NewVault = {
  /** vault.json. */
  readonly vaultDocument: unknown;
  /** keys/00000001.json. */
  readonly keysDocument: unknown;
  /** 32 bytes, base64. */
  readonly metadataKey: string;
};

export type NewAccount = NewVault & {
  readonly name: string;
  readonly kdf: StoredKdf;
  /** 24 bytes, base64. */
  readonly l: string;
  /** X25519, base64. */
  readonly recoveryPublic: string;
};

/** A changed password: the new L, and every vault's keys document in its next generation. */
export type NewPassword = {
  readonly kdf: StoredKdf;
  readonly l: string;
  readonly keysDocuments: readonly unknown[];
};

/** A vault's secrets as JSON, for unlocking over the admin socket. */
export type UnlockRequest = {
  readonly s: string;
  readonly epochs: Readonly<Record<string, string>>;
  readonly currentEpoch: number;
  readonly forSeconds?: number;
};

export type AccountRow = {
  readonly id: string;
  readonly name: string;
  readonly kdf: StoredKdf;
  readonly disabled: boolean;
  readonly created: string;
  readonly vaults: readonly { readonly id: string; readonly name: string }[];
  readonly devices: number;
};

export type VaultRow = {
  readonly id: string;
  readonly account: string;
  readonly name: string;
  readonly created: string;
  readonly unlocked: boolean;
  /** Seconds until it locks itself. */
  readonly unlockedForSeconds: number | null;
};

export type AdminDeviceRow = Omit<Device, "tokenHash" | "publicKey" | "account"> & {
  readonly account: string;
};

export class Administration {
  readonly #gateway: Gateway;

  constructor(gateway: Gateway) {
    this.#gateway = gateway;
  }

  accounts(): AccountRow[] {
    const { accounts, vaults, devices } = this.#gateway.catalog;
    return accounts.list().map((account) => ({
      id: account.id,
      name: account.name,
      kdf: account.kdf,
      disabled: account.disabled,
      created: account.created,
      vaults: vaults.list(account.id).map(({ id, name }) => ({ id, name })),
      devices: devices.list(account.id).filter((device) => !device.revoked).length,
    }));
  }

  /** @throws HoldfastError not-found */
  #account(name: string): Account {
    const account = this.#gateway.catalog.accounts.byName(name);
    if (account === undefined) {
      throw new HoldfastError(ErrorCode.notFound, `there is no account ${name}`, {
        next: "`holdfast account list --data DIR` shows which there are.",
      });
    }
    return account;
  }

  /** Creates an account with its first vault. @throws HoldfastError exists, usage, kdf-weak, corrupt, disk-full */
  async addAccount(request: NewAccount): Promise<{ id: string; vault: string }> {
    const { catalog, authenticator, now } = this.#gateway;
    const name = checkName(request.name, "account");
    if (catalog.accounts.byName(name) !== undefined) {
      throw new HoldfastError(ErrorCode.exists, `there is an account ${name} already`);
    }
    checkKdf(request.kdf);
    const recoveryPublic = bytes(request.recoveryPublic, 32, "recovery key");
    const { document, keys, metadataKey } = parseNewVault(request);
    const loginHash = await authenticator.hasher.hash(bytes(request.l, 24, "l"));
    const created = now().toISOString();
    await createVaultDirectory(this.#gateway.vaultDirectory(document.id), document, keys);
    catalog.write(() => {
      catalog.accounts.add({
        id: document.account,
        name,
        kdf: request.kdf,
        loginHash,
        recoveryPublic: recoveryPublic.toString("base64"),
        disabled: false,
        created,
        nextGroup: sharedGroup + 1,
      });
      catalog.vaults.add({
        id: document.id,
        account: document.account,
        name: checkName(document.name, "vault"),
        metadataKey,
        keysGeneration: keys.generation,
        created,
      });
    });
    await this.#gateway.writeSealed();
    return { id: document.account, vault: document.id };
  }

  /** @throws HoldfastError not-found */
  setDisabled(name: string, disabled: boolean): void {
    const { catalog, authenticator } = this.#gateway;
    const { id } = this.#account(name);
    catalog.accounts.update(id, (account) => ({ ...account, disabled }));
    if (disabled) authenticator.endLogins(id);
  }

  /** The keys documents of an account's vaults, newest generation. */
  async keysDocuments(name: string): Promise<KeysDocument[]> {
    const vaults = await this.#gateway.vaultsOf(this.#account(name).id);
    return vaults.map((vault) => vault.keys);
  }

  /**
   * Sets a new password: after a change by its owner, or with the recovery key. Every vault's document must come along.
   * @throws HoldfastError not-found, usage, kdf-weak, sequence-conflict
   */
  async changePassword(name: string, request: NewPassword): Promise<void> {
    const { catalog, authenticator } = this.#gateway;
    const account = this.#account(name);
    checkKdf(request.kdf);
    const loginHash = await authenticator.hasher.hash(bytes(request.l, 24, "l"));
    const documents = new Map<string, KeysDocument>();
    for (const each of request.keysDocuments) {
      const document = parseKeysDocument(each);
      documents.set(document.vault, document);
    }
    const vaults = await this.#gateway.vaultsOf(account.id);
    if (vaults.length !== documents.size || vaults.some((vault) => !documents.has(vault.id))) {
      throw new HoldfastError(
        ErrorCode.usage,
        "a new password needs the keys documents of all vaults of the account",
      );
    }
    for (const vault of vaults) {
      const document = documents.get(vault.id)!;
      await vault.replaceKeys(() => document);
      catalog.vaults.setKeysGeneration(vault.id, document.generation);
    }
    catalog.accounts.update(account.id, (row) => ({ ...row, kdf: request.kdf, loginHash }));
    authenticator.endLogins(account.id);
  }

  /** Devices of one account, or of all. @throws HoldfastError not-found */
  devices(account?: string): AdminDeviceRow[] {
    const { catalog } = this.#gateway;
    const names = new Map(catalog.accounts.list().map((row) => [row.id, row.name]));
    const devices = catalog.devices.list(account === undefined ? undefined : this.#account(account).id);
    return devices.map(({ tokenHash: _hash, publicKey: _key, ...device }) => ({
      ...device,
      account: names.get(device.account) ?? device.account,
    }));
  }

  /** Ends a device's token and takes its wraps out of the keys documents. `device`: its name or id. @throws HoldfastError not-found */
  async revokeDevice(accountName: string, device: string): Promise<void> {
    const { catalog } = this.#gateway;
    const account = this.#account(accountName);
    const row =
      catalog.devices.byName(account.id, device) ??
      catalog.devices.list(account.id).find((each) => each.id === device && !each.revoked);
    if (row === undefined)
      throw new HoldfastError(ErrorCode.notFound, `account ${accountName} has no device ${device}`);
    catalog.devices.revoke(row.id);
    for (const vault of await this.#gateway.vaultsOf(account.id)) {
      if (!vault.keys.wraps.some((wrap) => wrap.kind === "device" && wrap.device === row.id)) continue;
      const document = await vault.replaceKeys((keys) => withoutDevice(keys, row.id));
      catalog.vaults.setKeysGeneration(vault.id, document.generation);
    }
  }

  /** All vaults, or an account's. @throws HoldfastError not-found */
  vaults(account?: string): VaultRow[] {
    const { catalog, unlocked } = this.#gateway;
    const names = new Map(catalog.accounts.list().map((row) => [row.id, row.name]));
    const open = new Map(unlocked.list().map(({ vault, leftMs }) => [vault, leftMs]));
    return catalog.vaults.list(account === undefined ? undefined : this.#account(account).id).map((vault) => {
      const leftMs = open.get(vault.id);
      return {
        id: vault.id,
        account: names.get(vault.account) ?? vault.account,
        name: vault.name,
        created: vault.created,
        unlocked: open.has(vault.id),
        unlockedForSeconds: leftMs === undefined ? null : Math.ceil(leftMs / 1000),
      };
    });
  }

  /** Adds a vault to an account. @throws HoldfastError not-found, exists, corrupt, disk-full */
  async createVault(accountName: string, request: NewVault): Promise<{ vault: string }> {
    const { catalog, now } = this.#gateway;
    const account = this.#account(accountName);
    const { document, keys, metadataKey } = parseNewVault(request);
    if (document.account !== account.id)
      throw new HoldfastError(ErrorCode.usage, "the vault is of another account");
    const name = checkName(document.name, "vault");
    if (
      catalog.vaults.byName(account.id, name) !== undefined ||
      catalog.vaults.get(document.id) !== undefined
    ) {
      throw new HoldfastError(ErrorCode.exists, `account ${accountName} has a vault ${name} already`);
    }
    await createVaultDirectory(this.#gateway.vaultDirectory(document.id), document, keys);
    catalog.vaults.add({
      id: document.id,
      account: account.id,
      name,
      metadataKey,
      keysGeneration: keys.generation,
      created: now().toISOString(),
    });
    await this.#gateway.writeSealed();
    return { vault: document.id };
  }

  /** Takes a vault's secrets into memory. @throws HoldfastError not-found, corrupt */
  unlock(vault: string, request: UnlockRequest): void {
    const row = this.#gateway.catalog.vaults.get(vault);
    if (row === undefined) throw new HoldfastError(ErrorCode.notFound, "no such vault");
    const keys = new VaultKeys({
      vaultId: fromHex(vault, 16),
      s: fromHex(request.s, 32),
      epochs: new Map(Object.entries(request.epochs).map(([epoch, a]) => [Number(epoch), fromHex(a, 32)])),
      currentEpoch: request.currentEpoch,
    });
    // Secrets of another vault would show every chunk as damaged; the metadata key tells at once.
    if (keys.metadataKey.toString("base64") !== row.metadataKey) {
      keys.wipe();
      throw new HoldfastError(ErrorCode.keyWrong, "these are not the keys of this vault");
    }
    this.#gateway.unlocked.unlock(
      vault,
      keys,
      request.forSeconds === undefined ? undefined : request.forSeconds * 1000,
    );
  }

  /** Forgets a vault's keys. Returns whether it was unlocked. @throws HoldfastError not-found */
  lock(vault: string): boolean {
    if (this.#gateway.catalog.vaults.get(vault) === undefined) {
      throw new HoldfastError(ErrorCode.notFound, "no such vault");
    }
    return this.#gateway.unlocked.lock(vault);
  }
}

function checkKdf(kdf: StoredKdf): void {
  if (kdf.suite !== 1) throw new HoldfastError(ErrorCode.unsupported, `KDF suite ${kdf.suite} is not known`);
  if (kdf.iterations < limits.kdfIterationsMin || kdf.iterations > limits.kdfIterationsMax) {
    throw new HoldfastError(ErrorCode.kdfWeak, `${kdf.iterations} iterations are outside what is allowed`);
  }
  bytes(kdf.salt, 32, "salt");
}

function bytes(base64: string, length: number, what: string): Buffer {
  const value = Buffer.from(base64, "base64");
  if (value.length !== length || value.toString("base64") !== base64) {
    throw new HoldfastError(ErrorCode.usage, `${what} is not the base64 of ${length} bytes`);
  }
  return value;
}

function parseNewVault(request: NewVault): {
  document: ReturnType<typeof parseVaultDocument>;
  keys: KeysDocument;
  metadataKey: string;
} {
  const document = parseVaultDocument(JSON.stringify(request.vaultDocument));
  const keys = parseKeysDocument(request.keysDocument);
  if (keys.vault !== document.id || keys.account !== document.account || keys.generation !== 1) {
    throw new HoldfastError(ErrorCode.usage, "vault and keys document do not belong together");
  }
  return { document, keys, metadataKey: bytes(request.metadataKey, 32, "metadata key").toString("base64") };
}
