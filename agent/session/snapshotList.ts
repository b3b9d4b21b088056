// The account's snapshots, opened with this machine's keys.

import type { SnapshotRow } from "../../ingest/wire/messages.ts";
import { toHex } from "../../vault/bytes.ts";
import { ErrorCode, HoldfastError } from "../../vault/errors.ts";
import type { VaultKeys } from "../../vault/keys/vaultKeys.ts";
import {
  openSnapshot,
  parseSnapshotHeader,
  type SnapshotBody,
  type SnapshotHeader,
} from "../../vault/snapshot.ts";
import type { AgentConnection } from "./connection.ts";

export type OpenedSnapshot = {
  readonly row: SnapshotRow;
  readonly header: SnapshotHeader;
  readonly body: SnapshotBody;
  readonly keys: VaultKeys;
};

/** Objects fetched at a time. */
const fetchesAtOnce = 8;

/**
 * Fetches and opens a snapshot object, and checks that it is the one that the row names.
 * @throws HoldfastError key-wrong, seal-invalid, id-mismatch, not-found, gateway-unreachable
 */
export async function openRow(connection: AgentConnection, row: SnapshotRow): Promise<OpenedSnapshot> {
  const keys = await connection.keys(row.vault, "read");
  const object = await connection.client.snapshotObject(row.id);
  await connection.requireEpoch(row.vault, parseSnapshotHeader(object).keyEpoch);
  const { id, header, body } = openSnapshot(keys, object);
  if (toHex(id) !== row.id || header.group !== row.group || toHex(header.deviceId) !== row.deviceId) {
    throw new HoldfastError(ErrorCode.idMismatch, `the gateway sent another snapshot than ${row.id}`, {
      next: "Look at the gateway: it mixes up snapshots, or someone tampers with it.",
    });
  }
  return { row, header, body, keys };
}

/** All rows opened, in their order; `failed` is called for one that cannot be, and it is left out. */
export async function openRows(
  connection: AgentConnection,
  rows: readonly SnapshotRow[],
  failed: (row: SnapshotRow, error: unknown) => void,
): Promise<OpenedSnapshot[]> {
  const opened: (OpenedSnapshot | undefined)[] = new Array(rows.length);
  let next = 0;
  const worker = async (): Promise<void> => {
    for (let index = next++; index < rows.length; index = next++) {
      const row = rows[index] as SnapshotRow;
      try {
        opened[index] = await openRow(connection, row);
      } catch (error) {
        failed(row, error);
      }
    }
  };
  await Promise.all(Array.from({ length: Math.min(fetchesAtOnce, rows.length) }, worker));
  return opened.filter((snapshot) => snapshot !== undefined);
}

/** Which snapshot a person means. */
export type SnapshotChoice = {
  /** `latest`, an id, or the unique beginning of one. */
  readonly name: string;
  readonly item: string | undefined;
  readonly device: string | undefined;
};

/**
 * The one snapshot that is meant. `latest` is the newest complete one on the device (this one unless named), of the item
 * where one is named.
 * @throws HoldfastError not-found, with what there is; usage for an ambiguous beginning
 */
export async function findSnapshot(
  connection: AgentConnection,
  choice: SnapshotChoice,
): Promise<OpenedSnapshot> {
  return openRow(connection, await findRow(connection, choice));
}

/** The newest snapshot of an item of this device, complete or not: what its next run goes on from. Undefined for none. */
export async function newestOf(
  connection: AgentConnection,
  item: string,
): Promise<OpenedSnapshot | undefined> {
  const device = connection.enrollment.device.name;
  const [row] = await connection.client.snapshots({ device, item });
  return row === undefined ? undefined : openRow(connection, row);
}

async function findRow(connection: AgentConnection, choice: SnapshotChoice): Promise<SnapshotRow> {
  const { name, item, device } = choice;
  if (name === "latest") return latestRow(connection, item, device ?? connection.enrollment.device.name);
  const prefix = name.toLowerCase();
  if (!/^[0-9a-f]{1,64}$/.test(prefix)) {
    throw new HoldfastError(ErrorCode.usage, `not a snapshot: ${name}`, {
      next: "Name `latest`, an id, or the beginning of one; `holdfast agent snapshots` lists them.",
    });
  }
  const rows = await connection.client.snapshots({ device, item });
  const matches = rows.filter(({ id }) => id.startsWith(prefix));
  if (matches.length > 1) {
    throw new HoldfastError(ErrorCode.usage, `${matches.length} snapshots begin with ${prefix}`, {
      next: "Give more of the id.",
    });
  }
  if (matches[0] !== undefined) return matches[0];
  throw new HoldfastError(ErrorCode.notFound, `there is no snapshot ${name}`, {
    next: "`holdfast agent snapshots` lists what there is.",
  });
}

async function latestRow(
  connection: AgentConnection,
  item: string | undefined,
  device: string,
): Promise<SnapshotRow> {
  const rows = await connection.client.snapshots({ device, item });
  const newest = rows.find(({ incomplete }) => !incomplete);
  if (newest !== undefined) return newest;
  const of = item === undefined ? "" : ` of item ${item}`;
  const others = new Set((await connection.client.items({ device })).map(({ name }) => name));
  const known = [...others].join(", ");
  throw new HoldfastError(ErrorCode.notFound, `device ${device} has no complete snapshot${of}`, {
    next:
      item !== undefined && known !== ""
        ? `Its items: ${known}.`
        : "Back up first: holdfast agent backup PATH",
  });
}

/** The id of a snapshot's root directory page, hex. */
export function treeOf(snapshot: OpenedSnapshot): string {
  return toHex(snapshot.header.root);
}
