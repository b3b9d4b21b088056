// The gateway's own chain in a replica: sealed.json and the sealed catalog, and a root that names them (docs/format.md, section 11.6).
//
// Invariants
// - It is written after the roots of vaults that it names as seen.
// - sealed.json has the key of every vault that the catalog beside it lists: a vault without one could not be restored.
// - A root is appended only when what it would name says something else than the last one.
// - What was written is noted after the root was appended: a stop in between costs a generation that says the same.

import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { fromHex, toHex } from "../../../vault/bytes.ts";
import { gatewayRootKey, type NamedObject } from "../../../vault/replica/root.ts";
import { gatewayCatalogKey, sealCatalog } from "../../../vault/replica/sealedCatalog.ts";
import type { AuditHead } from "../../audit/entry.ts";
import type { Replica } from "../../catalog/replicas.ts";
import type { Gateway } from "../../gateway.ts";
import { jsonCodec, openTable, type Table } from "../../index/table.ts";
import { fileError } from "../../store/files.ts";
import { putProven } from "../chain/namedObjects.ts";
import { RootChain } from "../chain/rootChain.ts";
import { gatewayFolder, namedKey } from "../keys.ts";
import type { ReplicaStore } from "../replicaStore.ts";
import { exportGatewayPart, type GatewayPart } from "./gatewayPart.ts";

/** What was written to a replica last: SHA-256, hex, of sealed.json, of the catalog without what was seen, and of what was seen. */
type Written = {
  readonly sealed: string;
  readonly rows: string;
  readonly seen: string;
  /** The audit log's head; absent where there was none yet. */
  readonly audit?: AuditHead | null;
  /** Milliseconds since 1970. */
  readonly writtenMs: number;
};

type GatewayPort = Pick<Gateway, "audit" | "catalog" | "dataDir" | "now" | "sealing">;

/** The state as it would be written now. */
type Current = Written & { readonly sealedBytes: Buffer; readonly textBytes: Buffer };

function writtenTable({ catalog }: Pick<GatewayPort, "catalog">): Table<Written> {
  return openTable(catalog.environment, "replicated-state", jsonCodec<Written>());
}

async function currentSealed({ dataDir, sealing }: GatewayPort): Promise<Buffer> {
  const path = join(dataDir.path, "gateway", "sealed.json");
  for (;;) {
    await sealing.bring();
    const bytes = await readFile(path).catch((error: unknown) => {
      throw fileError(error, path);
    });
    // Else a vault was made, or settings were read, while the file was.
    if (sealing.isCurrent) return bytes;
  }
}

async function currentState(gateway: GatewayPort, replica: string): Promise<Current> {
  const sealedBytes = await currentSealed(gateway);
  const { audit, catalog, dataDir, now } = gateway;
  const textBytes = exportGatewayPart(dataDir.identity, catalog, replica, audit.head);
  const part = JSON.parse(textBytes.toString()) as GatewayPart;
  const seen = part.vaults.flatMap((vault) => (vault.seen === null ? [] : [vault.id, vault.seen]));
  const rows = { ...part, audit: null, vaults: part.vaults.map((vault) => ({ ...vault, seen: null })) };
  return {
    sealedBytes,
    textBytes,
    sealed: sha256(sealedBytes),
    rows: sha256(Buffer.from(JSON.stringify(rows))),
    seen: sha256(Buffer.from(JSON.stringify(seen))),
    audit: part.audit,
    writtenMs: now().getTime(),
  };
}

/** What a replica does not have yet. */
export type StateChange = {
  /** Accounts, devices, settings and the like. */
  readonly state: boolean;
  /** Roots of vaults that were written there since. */
  readonly seen: boolean;
  /** Lines of the audit log. */
  readonly audit: boolean;
  /** Since the state was written there. */
  readonly ageMs: number;
};

/** What the replica of this id does not have yet. Nothing is asked of it. @throws HoldfastError io-error */
export async function gatewayStateChange(gateway: GatewayPort, replica: string): Promise<StateChange> {
  const written = writtenTable(gateway).get(fromHex(replica, 16));
  return changeSince(written, await currentState(gateway, replica));
}

function changeSince(
  written: Written | undefined,
  { sealed, rows, seen, audit, writtenMs }: Current,
): StateChange {
  if (written === undefined) return { state: true, seen: true, audit: true, ageMs: Number.POSITIVE_INFINITY };
  const state = written.sealed !== sealed || written.rows !== rows;
  const hasLines = audit?.hash !== undefined && audit.hash !== written.audit?.hash;
  return { state, seen: written.seen !== seen, audit: hasLines, ageMs: writtenMs - written.writtenMs };
}

/** Forgets what was written to a replica that was removed. */
export function forgetWritten(gateway: GatewayPort, replica: string): void {
  const table = writtenTable(gateway);
  gateway.catalog.write(() => table.remove(fromHex(replica, 16)));
}

/** The head of the audit log that was written to the replica of this id last. */
export function auditHeadAt(gateway: Pick<GatewayPort, "catalog">, replica: string): AuditHead | null {
  return writtenTable(gateway).get(fromHex(replica, 16))?.audit ?? null;
}

export type ReplicateGatewayOptions = {
  readonly gateway: GatewayPort;
  readonly replica: Replica;
  readonly store: ReplicaStore;
  /** Where roots are: mostly the same. */
  readonly roots: ReplicaStore;
  readonly takeOver: boolean;
  readonly signal: AbortSignal;
};

/**
 * Writes the gateway's state to a replica if it differs from what was written last. Answers the newest generation there, and whether it is a
 * new one.
 * @throws HoldfastError replica-fenced, rollback-detected, and what stores throw; io-error
 */
export async function replicateGateway(
  options: ReplicateGatewayOptions,
): Promise<{ readonly generation: number; readonly appended: boolean }> {
  const { gateway, replica, store, roots, takeOver, signal } = options;
  const { identity } = gateway.dataDir;
  const [secret, id] = [Buffer.from(identity.secret, "base64"), fromHex(identity.id, 16)];
  const table = writtenTable(gateway);
  const key = fromHex(replica.id, 16);
  const current = await currentState(gateway, replica.id);
  const chain = new RootChain({
    store: roots,
    chain: "gateway",
    id: identity.id,
    key: gatewayRootKey(secret, id),
    replica: replica.id,
    memory: gateway.catalog.replicas,
    writer: replica.writer,
    now: gateway.now,
  });
  const newest = await chain.newest(signal);
  const own = newest !== undefined && chain.isOwn(newest);
  const change = changeSince(table.get(key), current);
  if (own && !change.state && !change.seen && !change.audit)
    return { generation: newest.root.generation, appended: false };
  const put = async (kind: "sealed" | "catalog", bytes: Buffer): Promise<NamedObject> => {
    const hash = sha256(bytes);
    await putProven(store, namedKey(gatewayFolder, kind, fromHex(hash, 32)), bytes, { signal });
    return { name: `${kind}/${hash}`, bytes: bytes.length, sha256: hash };
  };
  const content = {
    sealed: await put("sealed", current.sealedBytes),
    catalog: await put("catalog", sealCatalog(current.textBytes, gatewayCatalogKey(secret, id))),
  };
  // An earlier try of ours that stands in its place said what was so then: the next one comes behind it.
  let appended = await chain.append(content, { takeOver, signal });
  while (appended.outcome === "overtaken") appended = await chain.append(content, { takeOver, signal });
  const { sealed, rows, seen, audit = null, writtenMs } = current;
  gateway.catalog.write(() => table.put(key, { sealed, rows, seen, audit, writtenMs }));
  return { generation: appended.found.root.generation, appended: true };
}

function sha256(bytes: Uint8Array): string {
  return toHex(createHash("sha256").update(bytes).digest());
}
