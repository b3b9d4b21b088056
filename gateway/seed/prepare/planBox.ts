// What a box that is asked for would be: accounts, devices, addresses, and how much the devices' last snapshots hold.

import { statfs } from "node:fs/promises";
import { dirname } from "node:path";
import { checkName } from "../../../ingest/wire/names.ts";
import { ErrorCode, HoldfastError, isHoldfastError } from "../../../vault/errors.ts";
import { limits } from "../../../vault/limits.ts";
import { homeOf } from "../../../vault/seed/homeRecord.ts";
import { openSnapshot } from "../../../vault/snapshot.ts";
import { bytes, checkKdf } from "../../admin/requestChecks.ts";
import type { PrepareAnswer, PrepareRequest } from "../../admin/seedOperations.ts";
import type { Account } from "../../catalog/accounts.ts";
import type { BoxRow } from "../../catalog/boxes.ts";
import type { Device } from "../../catalog/devices.ts";
import type { Gateway } from "../../gateway.ts";
import { parseListen } from "../../listenAddress.ts";
import { errnoOf } from "../../store/files.ts";
import { boxDevices } from "./copyRows.ts";
import type { BoxPlan } from "./prepareBox.ts";

/**
 * Checks a request. The plan is left out where it has no key.
 * @throws HoldfastError usage, not-found, forbidden at a box
 */
export async function planBox(
  gateway: Gateway,
  request: PrepareRequest,
): Promise<{ readonly answer: PrepareAnswer; readonly plan: BoxPlan | undefined }> {
  if (gateway.dataDir.box !== undefined || !gateway.homes.isDirectory) {
    throw new HoldfastError(ErrorCode.forbidden, "another gateway is the datacentre of these accounts", {
      next: "Prepare boxes there.",
    });
  }
  const accounts = chosenAccounts(gateway, request);
  const urls = addressesOf(request);
  const datacentreUrls =
    request.datacentreUrls.length > 0 ? request.datacentreUrls.map(checkUrl) : gateway.homes.directory().urls;
  const answer: PrepareAnswer = {
    box: null,
    datacentreUrls,
    accounts: await Promise.all(accounts.map((chosen) => describe(gateway, chosen))),
    freeBytes: await freeBytes(request.directory),
  };
  if (request.key === undefined) return { answer, plan: undefined };
  checkKdf(request.key.kdf);
  const plan: BoxPlan = {
    directory: request.directory,
    kind: "seed",
    accounts,
    name: request.name === undefined ? undefined : checkName(request.name, "box"),
    listen: request.listen,
    urls,
    datacentreUrls,
    kdf: request.key.kdf,
    r: bytes(request.key.r, 24, "r"),
    by: request.by,
  };
  return { answer, plan };
}

function chosenAccounts(gateway: Gateway, request: PrepareRequest): BoxRow["accounts"] {
  if (request.accounts.length === 0) {
    throw new HoldfastError(ErrorCode.usage, "a box is for at least one account", {
      next: "Give --account NAME.",
    });
  }
  const accounts = request.accounts.map((name): Account => {
    const account = gateway.catalog.accounts.byName(name);
    if (account !== undefined) return account;
    throw new HoldfastError(ErrorCode.notFound, `there is no account ${name}`, {
      next: "`holdfast account list --data DIR` shows which there are.",
    });
  });
  const vaults = accounts.flatMap(({ id }) => gateway.catalog.vaults.list(id)).length;
  if (new Set(accounts.map(({ id }) => id)).size < accounts.length || vaults > limits.seedVaultsMax) {
    throw new HoldfastError(ErrorCode.usage, "an account twice, or too many vaults for one box");
  }
  if (request.devices.length === 0) return accounts.map(({ id }) => ({ account: id, devices: null }));
  const [account, ...others] = accounts;
  if (account === undefined || others.length > 0) {
    throw new HoldfastError(ErrorCode.usage, "--device is for a box of one account", {
      next: "Prepare a box for each account, or leave --device out.",
    });
  }
  return [{ account: account.id, devices: request.devices.map((name) => deviceId(gateway, account, name)) }];
}

function deviceId(gateway: Gateway, account: Account, name: string): string {
  const own = gateway.catalog.devices.list(account.id).filter(({ revoked }) => !revoked);
  const device = own.find((row) => row.id === name || row.name === name.normalize("NFC"));
  if (device !== undefined) return device.id;
  throw new HoldfastError(ErrorCode.notFound, `account ${account.name} has no device ${name}`, {
    next: "`holdfast device list --data DIR` shows which there are.",
  });
}

/** Where agents will find the box. */
export function addressesOf({ listen, urls }: Pick<PrepareRequest, "listen" | "urls">): readonly string[] {
  const { host, port } = parseListen(listen);
  if (!/^[0-9a-f.:]+$/i.test(host)) {
    throw new HoldfastError(ErrorCode.usage, `--listen takes an address of numbers, not ${host}`, {
      next: "Names of hosts are not written to a box's disk in the clear: give the name by --url.",
    });
  }
  if (urls.length > limits.homeUrlsMax) throw new HoldfastError(ErrorCode.usage, "too many --url");
  if (urls.length > 0) return urls.map(checkUrl);
  if (/^(0\.0\.0\.0|::)$/.test(host) || port === 0) {
    throw new HoldfastError(ErrorCode.usage, "agents have to be told where they will find the box", {
      next: "Give --url https://HOST:PORT, as the customer's network will know it.",
    });
  }
  return [`https://${host.includes(":") ? `[${host}]` : host}:${port}`];
}

/** @throws HoldfastError usage */
function checkUrl(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url?.protocol === "https:" && url.origin === text.replace(/\/$/, "")) return url.origin;
  throw new HoldfastError(ErrorCode.usage, `not of the form https://HOST:PORT: ${text}`);
}

async function describe(
  gateway: Gateway,
  chosen: BoxRow["accounts"][number],
): Promise<PrepareAnswer["accounts"][number]> {
  const rows = boxDevices(gateway, chosen);
  return {
    name: gateway.catalog.accounts.get(chosen.account)!.name,
    devices: await Promise.all(rows.map((device) => describeDevice(gateway, device))),
    vaults: gateway.catalog.vaults.list(chosen.account).length,
    homesNow: homesNow(gateway, chosen.account, rows),
  };
}

/** Names of the other gateways that devices back up to. */
function homesNow(gateway: Gateway, account: string, devices: readonly Device[]): string[] {
  const record = gateway.homes.homesteads(account);
  const homes = devices.map(({ id }) => homeOf(record, id));
  const away = homes.filter((home) => home.gateway !== gateway.dataDir.identity.id);
  return [...new Set(away.map(({ name }) => name))];
}

async function describeDevice(gateway: Gateway, device: Device) {
  const vault = await gateway.vault(device.vault);
  const items = vault.catalog.items().filter((item) => item.device === device.id);
  const heads = items.flatMap(({ head }) => (head === null ? [] : [head]));
  let lastBytes: number | null = heads.length === 0 ? null : 0;
  for (const head of heads) {
    const snapshot = vault.catalog.snapshot(head);
    if (snapshot === undefined) continue;
    try {
      const { body } = openSnapshot(
        gateway.unlocked.keys(device.vault),
        await vault.snapshotObject(snapshot),
      );
      lastBytes = (lastBytes ?? 0) + body.bytes;
    } catch (error) {
      if (!isHoldfastError(error)) throw error;
      lastBytes = null;
      break;
    }
  }
  return { name: device.name, items: items.length, lastBytes };
}

/** What is free where a directory is, or will be; null where that cannot be told. */
export async function freeBytes(directory: string): Promise<number | null> {
  for (let path = directory; ; path = dirname(path)) {
    try {
      const { bavail, bsize } = await statfs(path);
      return bavail * bsize;
    } catch (error) {
      if (errnoOf(error) !== "ENOENT" || path === dirname(path)) return null;
    }
  }
}
