// Homes of accounts as an administrator sees and moves them (docs/seeding.md, "Homes").

import { GatewayClient } from "../../ingest/client/gatewayClient.ts";
import type { Proxies } from "../../ingest/line/proxies.ts";
import { ErrorCode, HoldfastError } from "../../vault/errors.ts";
import { type Home, homeOf } from "../../vault/seed/homeRecord.ts";
import type { Account } from "../catalog/accounts.ts";
import type { Gateway } from "../gateway.ts";

export type HomeAnswer = {
  readonly account: string;
  /** 0: never moved. */
  readonly generation: number;
  readonly home: Home;
  readonly isHere: boolean;
  readonly devices: readonly { readonly device: string; readonly home: Home }[];
};

export type MoveRequest = {
  readonly account: string;
  /** Names; all devices where none is given. */
  readonly devices: readonly string[];
  /** null: here. */
  readonly to: { readonly url: string; readonly fingerprint: string } | null;
  /** Says that accounts, devices and data were carried to the other gateway by other means. */
  readonly force: boolean;
};

export type MovePlan = {
  readonly account: string;
  readonly home: Home;
  /** Names of the devices whose home would be another one than now. */
  readonly devices: readonly string[];
  /** In which backups that run would end. */
  readonly vaults: number;
};

export interface HomeOperations {
  /** Homes of all accounts, or of one. @throws HoldfastError not-found */
  show(account?: string): Promise<HomeAnswer[]>;
  /** What `move` would do; nothing is changed. @throws HoldfastError as `move` */
  plan(request: MoveRequest): Promise<MovePlan>;
  /** @throws HoldfastError not-found, forbidden, usage, gateway-unreachable, fingerprint-mismatch */
  move(request: MoveRequest): Promise<HomeAnswer>;
  /** The homes of before the last move. @throws HoldfastError not-found, forbidden */
  undo(account: string): Promise<HomeAnswer>;
}

export class HomeAdministration implements HomeOperations {
  readonly #gateway: Gateway;

  constructor(gateway: Gateway) {
    this.#gateway = gateway;
  }

  async show(account?: string): Promise<HomeAnswer[]> {
    const { accounts } = this.#gateway.catalog;
    return (account === undefined ? accounts.list() : [this.#account(account)]).map((row) =>
      this.#answer(row),
    );
  }

  async plan(request: MoveRequest): Promise<MovePlan> {
    const { catalog, homes } = this.#gateway;
    homes.requireDirectory();
    const { account, devices, home } = await this.#asked(request);
    const now = homes.homesteads(account.id);
    const all = catalog.devices.list(account.id).filter(({ revoked }) => !revoked);
    const moving = all.filter(
      ({ id }) => (devices === null || devices.includes(id)) && homeOf(now, id).gateway !== home.gateway,
    );
    const vaults = new Set(moving.map(({ vault }) => vault)).size;
    return { account: account.name, home, devices: moving.map(({ name }) => name), vaults };
  }

  async move(request: MoveRequest): Promise<HomeAnswer> {
    const { account, devices, home } = await this.#asked(request);
    await this.#gateway.homes.move(account.id, devices, home);
    return this.#answer(account);
  }

  async #asked({ account: name, devices: names, to, force }: MoveRequest): Promise<{
    readonly account: Account;
    readonly devices: readonly string[] | null;
    readonly home: Home;
  }> {
    const account = this.#account(name);
    const devices = names.length === 0 ? null : names.map((device) => this.#device(account, device));
    if (to !== null && !force) {
      throw new HoldfastError(
        ErrorCode.forbidden,
        "moving a home carries neither the account nor its devices, keys and snapshots to the other gateway",
        {
          next: "Seed by a box (`holdfast seed prepare`), or add --force where the other gateway has them already (a gateway restored from a replica, say).",
        },
      );
    }
    return {
      account,
      devices,
      home: to === null ? this.#gateway.homes.here() : await askedHome(to, this.#gateway.proxies),
    };
  }

  async undo(name: string): Promise<HomeAnswer> {
    const account = this.#account(name);
    await this.#gateway.homes.undo(account.id);
    return this.#answer(account);
  }

  #answer({ id, name }: Account): HomeAnswer {
    const { generation, home, devices } = this.#gateway.homes.homesteads(id);
    const named = devices.map((row) => ({
      device: this.#gateway.catalog.devices.get(row.device)?.name ?? row.device,
      home: row.home,
    }));
    return { account: name, generation, home, isHere: this.#gateway.homes.isHere(id), devices: named };
  }

  #account(name: string): Account {
    const account = this.#gateway.catalog.accounts.byName(name);
    if (account !== undefined) return account;
    throw new HoldfastError(ErrorCode.notFound, `there is no account ${name}`, {
      next: "`holdfast account list --data DIR` shows which there are.",
    });
  }

  #device(account: Account, name: string): string {
    const device = this.#gateway.catalog.devices.byName(account.id, name);
    if (device !== undefined) return device.id;
    throw new HoldfastError(ErrorCode.notFound, `account ${account.name} has no device ${name}`, {
      next: "`holdfast device list --data DIR` shows which there are.",
    });
  }
}

/** The gateway at an address, as it tells of itself to who knows its key. */
async function askedHome(
  { url, fingerprint }: { readonly url: string; readonly fingerprint: string },
  proxies: Proxies,
): Promise<Home> {
  const client = new GatewayClient({ url, fingerprint, triesMax: 1, line: { proxies } });
  try {
    const { id, name } = await client.hello();
    if (id === undefined) {
      throw new HoldfastError(ErrorCode.unsupported, `the gateway at ${url} knows nothing of homes`, {
        next: "Update it first.",
      });
    }
    return { gateway: id, name, urls: [new URL(url).origin], fingerprint };
  } finally {
    client.close();
  }
}
