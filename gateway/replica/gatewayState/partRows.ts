// Rows of the gateway's catalog from the JSON of a replica, each member checked. Members that are not known are left out.

import { checkName } from "../../../ingest/wire/names.ts";
import { ErrorCode, HoldfastError } from "../../../vault/errors.ts";
import {
  asArray,
  asHex,
  asInteger,
  asObject,
  asText,
  asTime,
  fromBase64,
  type JsonObject,
} from "../../../vault/jsonFields.ts";
import { limits } from "../../../vault/limits.ts";
import { Width } from "../../../vault/magic.ts";
import { type AddressLists, AddressRules, addressesMax } from "../../auth/addressLists.ts";
import type { Account, AccountQuota, StoredKdf, TotpRow } from "../../catalog/accounts.ts";
import type { AppPasswordRow } from "../../catalog/appPasswords.ts";
import type { Device } from "../../catalog/devices.ts";
import type { HomeRow } from "../../catalog/homes.ts";
import type { ReplicaOptions } from "../../catalog/replicas.ts";
import type { PartReplica } from "./gatewayPart.ts";

const u32Max = 0xffff_ffff;
/** Lists inside a row: groups of a user, folders of a path. */
const listMax = 65_536;
const recoveryCodesMax = 100;

function asFlag(value: unknown, what: string): boolean {
  if (typeof value !== "boolean") throw new HoldfastError(ErrorCode.corrupt, `${what} is not true or false`);
  return value;
}

/** A base64 text of 32 bytes. */
function asKey(value: unknown, what: string): string {
  if (fromBase64(value, what).length !== Width.key) {
    throw new HoldfastError(ErrorCode.corrupt, `${what} is not of 32 bytes`);
  }
  return value as string;
}

function parseKdf(value: unknown): StoredKdf {
  const json = asObject(value, "kdf");
  if (json.suite !== 1) throw new HoldfastError(ErrorCode.unsupported, "an unknown KDF suite");
  return {
    suite: 1,
    iterations: asInteger(json.iterations, "iterations", limits.kdfIterationsMin, limits.kdfIterationsMax),
    salt: asKey(json.salt, "salt"),
  };
}

function parseLogin(json: JsonObject): { kdf: StoredKdf; loginHash: string } {
  return { kdf: parseKdf(json.kdf), loginHash: asText(json.loginHash, "loginHash") };
}

function parseTotp(json: JsonObject): TotpRow {
  return {
    secret: fromBase64(json.secret, "secret").toString("base64"),
    recovery: asArray(json.recovery, "recovery", recoveryCodesMax).map((hash) =>
      asHex(hash, "recovery code", 32),
    ),
    since: asTime(json.since, "since"),
  };
}

function parseAccess(json: JsonObject): AddressLists {
  const list = (value: unknown): string[] =>
    asArray(value, "addresses", addressesMax).map((row) => asText(row, "address"));
  const access = { allow: list(json.allow), deny: list(json.deny) };
  try {
    new AddressRules(access);
  } catch (cause) {
    throw new HoldfastError(ErrorCode.corrupt, "access is no lists of addresses", { cause });
  }
  return access;
}

/** @throws HoldfastError corrupt, unsupported, limit-exceeded */
export function parseAccount(value: unknown): Account {
  const json = asObject(value, "account");
  const pending =
    json.pendingLogin === undefined
      ? {}
      : { pendingLogin: parseLogin(asObject(json.pendingLogin, "pendingLogin")) };
  return {
    id: asHex(json.id, "account id", 16),
    name: asText(json.name, "account name"),
    ...parseLogin(json),
    ...pending,
    recoveryPublic: asKey(json.recoveryPublic, "recoveryPublic"),
    disabled: asFlag(json.disabled, "disabled"),
    ...(json.totp !== undefined && { totp: parseTotp(asObject(json.totp, "totp")) }),
    ...(json.access !== undefined && { access: parseAccess(asObject(json.access, "access")) }),
    created: asTime(json.created, "created"),
    nextGroup: asInteger(json.nextGroup, "nextGroup", 1, u32Max),
    ...(json.quota !== undefined && { quota: parseQuota(json.quota) }),
  };
}

function parseQuota(value: unknown): AccountQuota {
  const { bytes, devices } = asObject(value, "quota");
  const limit = (most: unknown, what: string): number | null =>
    most === null ? null : asInteger(most, what, 0);
  return { bytes: limit(bytes, "bytes of a quota"), devices: limit(devices, "devices of a quota") };
}

/** The home record of an account (docs/format.md, section 12.5), with the bookkeeping of its directory. */
export type PartHome = HomeRow & { readonly account: string };

/** @throws HoldfastError corrupt */
export function parseHome(value: unknown): PartHome {
  const json = asObject(value, "home");
  return {
    account: asHex(json.account, "account of a home", 16),
    record: asText(json.record, "record of a home"),
    previous: json.previous === null ? null : asText(json.previous, "record of a home"),
    handedOut: asInteger(json.handedOut, "handedOut", 1),
  };
}

/** @throws HoldfastError corrupt, limit-exceeded */
export function parseAppPassword(value: unknown): AppPasswordRow {
  const json = asObject(value, "app password");
  const asUser = json.asUser === undefined ? undefined : asObject(json.asUser, "asUser");
  return {
    id: asText(json.id, "app password's id"),
    account: asHex(json.account, "account id", 16),
    label: asText(json.label, "label"),
    hash: asHex(json.hash, "hash", 32),
    ...(json.read !== undefined && {
      read: asArray(json.read, "read", listMax).map((name) => asText(name, "folder")),
    }),
    ...(asUser !== undefined && {
      asUser: {
        uid: asInteger(asUser.uid, "uid", 0, u32Max),
        gids: asArray(asUser.gids, "gids", listMax).map((gid) => asInteger(gid, "gid", 0, u32Max)),
      },
    }),
    created: asTime(json.created, "created"),
    ...(json.expires !== undefined && { expires: asTime(json.expires, "expires") }),
  };
}

/** @throws HoldfastError corrupt, limit-exceeded */
export function parseDevice(value: unknown): Device {
  const json = asObject(value, "device");
  return {
    id: asHex(json.id, "device id", Width.deviceId),
    account: asHex(json.account, "account id", 16),
    name: asText(json.name, "device name"),
    group: asInteger(json.group, "group", 0, u32Max),
    // The highest number stands for a writer that is not known.
    ordinal: asInteger(json.ordinal, "ordinal", 0, u32Max - 1),
    publicKey: asKey(json.publicKey, "publicKey"),
    tokenHash: asHex(json.tokenHash, "tokenHash", 32),
    vault: asHex(json.vault, "vault id", 16),
    isolated: asFlag(json.isolated, "isolated"),
    revoked: asFlag(json.revoked, "revoked"),
    ...(json.appendOnly !== undefined && asFlag(json.appendOnly, "appendOnly") && { appendOnly: true }),
    ...(json.fleet !== undefined && { fleet: checkName(asText(json.fleet, "fleet"), "fleet") }),
    enrolled: asTime(json.enrolled, "enrolled"),
  };
}

/** @throws HoldfastError corrupt, limit-exceeded */
export function parseReplica(value: unknown): PartReplica {
  const json = asObject(value, "replica");
  return {
    id: asHex(json.id, "replica id", 16),
    name: asText(json.name, "replica name"),
    url: asText(json.url, "url"),
    options: parseOptions(asObject(json.options, "options")),
    conditionalPuts: asFlag(json.conditionalPuts, "conditionalPuts"),
    ...(json.comparesSha256 !== undefined && {
      comparesSha256: asFlag(json.comparesSha256, "comparesSha256"),
    }),
    notes: asArray(json.notes, "notes", listMax).map((note) => asText(note, "note")),
    bandwidth: asText(json.bandwidth, "bandwidth"),
    schedule: asText(json.schedule, "schedule"),
    parallel: asInteger(json.parallel, "parallel", 1, 1024),
    created: asTime(json.created, "created"),
  };
}

const textOptions = ["endpoint", "region", "caFile", "credentialsFile", "profile", "rootUrl"] as const;

function parseOptions(json: JsonObject): ReplicaOptions {
  const options: Record<string, unknown> = {};
  for (const name of textOptions) if (json[name] !== undefined) options[name] = asText(json[name], name);
  if (json.pathStyle !== undefined) options.pathStyle = asFlag(json.pathStyle, "pathStyle");
  if (json.lockDays !== undefined) {
    const days = asObject(json.lockDays, "lockDays");
    options.lockDays = {
      packs: asInteger(days.packs, "lockDays.packs", 0, 100_000),
      metadata: asInteger(days.metadata, "lockDays.metadata", 0, 100_000),
    };
  }
  return options;
}
