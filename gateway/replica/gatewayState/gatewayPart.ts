// The gateway's catalog, as a replica keeps it (docs/format.md, section 11.6): everything of the catalog that sealed.json and the vaults
// themselves do not say. It is sealed; what is secret on the gateway's own disk (hashes of logins and tokens) is in it as it is there.

import { ErrorCode, HoldfastError } from "../../../vault/errors.ts";
import { asArray, asHex, asInteger, asObject, asText, asTime, parseJson } from "../../../vault/jsonFields.ts";
import { limits } from "../../../vault/limits.ts";
import type { AuditHead } from "../../audit/entry.ts";
import type { Account } from "../../catalog/accounts.ts";
import type { AppPasswordRow } from "../../catalog/appPasswords.ts";
import type { BoxRow } from "../../catalog/boxes.ts";
import type { Catalog } from "../../catalog/catalog.ts";
import type { Device } from "../../catalog/devices.ts";
import type { FleetItem } from "../../catalog/fleetItems.ts";
import type { Replica, SeenChain } from "../../catalog/replicas.ts";
import type { Vault } from "../../catalog/vaults.ts";
import type { GatewayIdentity } from "../../dataDir.ts";
import { parseFleetItems } from "./definitionsPart.ts";
import { parseBox } from "./partBoxes.ts";
import {
  type PartHome,
  parseAccount,
  parseAppPassword,
  parseDevice,
  parseHome,
  parseReplica,
} from "./partRows.ts";

/** A vault without its metadata key, which is in sealed.json. */
export type PartVault = Omit<Vault, "metadataKey"> & {
  /** The newest root of its chain that the writer knew in this replica. */
  readonly seen: Pick<SeenChain, "generation" | "root"> | null;
};

/** A replica without what is of one data directory. */
export type PartReplica = Omit<Replica, "writer">;

export type GatewayPart = {
  /** When the gateway was made, RFC 3339. */
  readonly created: string;
  /** Id of the replica that this copy was written to. */
  readonly replica: string;
  readonly accounts: readonly Account[];
  readonly appPasswords: readonly AppPasswordRow[];
  readonly devices: readonly Device[];
  readonly fleetItems: readonly FleetItem[];
  readonly vaults: readonly PartVault[];
  readonly replicas: readonly PartReplica[];
  readonly homes: readonly PartHome[];
  readonly boxes: readonly BoxRow[];
  /** Of the audit log. */
  readonly audit: AuditHead | null;
};

/** What fits the bytes anyway: each row has a hundred and more. */
const rowsMax = 2 ** 20;
const what = "the gateway's catalog";

/** The JSON text of the catalog as it is now, for the replica of this id. Equal catalogs give equal texts. */
export function exportGatewayPart(
  identity: GatewayIdentity,
  catalog: Catalog,
  replica: string,
  audit: AuditHead | undefined,
): Buffer {
  const accounts = catalog.accounts.list();
  const part: GatewayPart = {
    created: identity.created,
    replica,
    accounts,
    // Times of last use change all the time and are worth no new generation.
    appPasswords: accounts.flatMap(({ id }) =>
      catalog.appPasswords.list(id).map(({ lastUsed: _used, ...row }) => row),
    ),
    devices: catalog.devices.list(),
    fleetItems: catalog.fleetItems.list(),
    vaults: catalog.vaults.list().map(({ metadataKey: _key, ...vault }) => {
      const seen = catalog.replicas.seen(replica, vault.id);
      // Generation 0: a first root was meant to be written, and nobody knows yet whether it was.
      if (seen === undefined || seen.generation === 0) return { ...vault, seen: null };
      return { ...vault, seen: { generation: seen.generation, root: seen.root } };
    }),
    replicas: catalog.replicas.list().map(({ writer: _writer, ...row }) => row),
    homes: catalog.homes.list(),
    boxes: catalog.boxes.list(),
    audit: audit ?? null,
  };
  return Buffer.from(
    JSON.stringify({ format: "holdfast-gateway-catalog", version: 1, gateway: identity.id, ...part }),
  );
}

/**
 * Parses an opened catalog of the gateway. `gateway`: the id that it must be of.
 * @throws HoldfastError corrupt, limit-exceeded; unsupported for a higher version
 */
export function parseGatewayPart(text: Uint8Array, gateway: string): GatewayPart {
  const json = asObject(parseJson(text, what, limits.catalogBytesMax), what);
  if (json.format !== "holdfast-gateway-catalog") throw new HoldfastError(ErrorCode.corrupt, `not ${what}`);
  const version = asInteger(json.version, `version of ${what}`, 1);
  if (version !== 1) {
    throw new HoldfastError(ErrorCode.unsupported, `${what} has version ${version}; this program knows 1`, {
      next: "Use a newer version of this program.",
    });
  }
  if (json.gateway !== gateway) throw new HoldfastError(ErrorCode.corrupt, `${what} is of another gateway`);
  const part: GatewayPart = {
    created: asTime(json.created, "created"),
    replica: asHex(json.replica, "replica id", 16),
    accounts: asArray(json.accounts, "accounts", rowsMax).map(parseAccount),
    appPasswords: asArray(json.appPasswords, "appPasswords", rowsMax).map(parseAppPassword),
    devices: asArray(json.devices, "devices", rowsMax).map(parseDevice),
    // Absent in catalogs of before there were fleets.
    fleetItems: parseFleetItems(json.fleetItems, rowsMax),
    vaults: asArray(json.vaults, "vaults", rowsMax).map(parseVault),
    replicas: asArray(json.replicas, "replicas", rowsMax).map(parseReplica),
    // Absent in catalogs of before homes could move.
    homes: asArray(json.homes ?? [], "homes", rowsMax).map(parseHome),
    // Likewise, of before there were boxes.
    boxes: asArray(json.boxes ?? [], "boxes", rowsMax).map(parseBox),
    // Likewise, of before there was an audit log.
    audit: parseHead(json.audit ?? null),
  };
  checkReferences(part);
  return part;
}

function parseHead(value: unknown): AuditHead | null {
  if (value === null) return null;
  const json = asObject(value, "audit");
  return { sequence: asInteger(json.sequence, "sequence", 1), hash: asHex(json.hash, "hash", 32) };
}

function parseVault(value: unknown): PartVault {
  const json = asObject(value, "vault");
  const seen = json.seen === null ? null : asObject(json.seen, "seen");
  return {
    id: asHex(json.id, "vault id", 16),
    account: asHex(json.account, "account id", 16),
    name: asText(json.name, "vault name"),
    keysGeneration: asInteger(json.keysGeneration, "keysGeneration", 1, 99_999_999),
    created: asTime(json.created, "created"),
    seen:
      seen === null
        ? null
        : {
            generation: asInteger(seen.generation, "generation", 1),
            root: asHex(seen.root, "root", 32),
          },
  };
}

/** Rows must be unique and name each other: a catalog that is half a catalog is refused whole, before anything is written. */
function checkReferences(part: GatewayPart): void {
  const unique = (rows: readonly string[], of: string): Set<string> => {
    const set = new Set(rows);
    if (set.size < rows.length) throw new HoldfastError(ErrorCode.corrupt, `${what}: the same ${of} twice`);
    return set;
  };
  const accounts = unique(
    part.accounts.map(({ id }) => id),
    "account",
  );
  const vaults = unique(
    part.vaults.map(({ id }) => id),
    "vault",
  );
  unique(
    part.accounts.map(({ name }) => name),
    "account's name",
  );
  unique(
    part.devices.map(({ id }) => id),
    "device",
  );
  unique(
    part.devices.map(({ ordinal }) => String(ordinal)),
    "device's number",
  );
  unique(
    part.replicas.map(({ id }) => id),
    "replica",
  );
  unique(
    part.replicas.map(({ name }) => name),
    "replica's name",
  );
  unique(
    part.homes.map(({ account }) => account),
    "account's home",
  );
  unique(
    part.boxes.map(({ number }) => String(number)),
    "box",
  );
  const owned = [...part.vaults, ...part.devices, ...part.appPasswords, ...part.homes, ...part.fleetItems];
  if (
    owned.some(({ account }) => !accounts.has(account)) ||
    part.devices.some(({ vault }) => !vaults.has(vault))
  ) {
    throw new HoldfastError(ErrorCode.corrupt, `${what} names an account or vault that is not in it`);
  }
}
