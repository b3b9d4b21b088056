// The gateway's own chain in a replica: sealed.json and the sealed catalog, and a root that names them (docs/format.md, section 11.6).
//
// Invariants
// - It is written after the roots of vaults that it names as seen.
// - A root is appended only when what it would name says something else than the last one; that only roots of vaults moved on is worth
//   a generation once an hour.
// - What was written is noted after the root was appended: a stop in between costs a generation that says the same.

import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { fromHex, toHex } from "../../../vault/bytes.ts";
import { gatewayRootKey, type NamedObject } from "../../../vault/replica/root.ts";
import { gatewayCatalogKey, sealCatalog } from "../../../vault/replica/sealedCatalog.ts";
import type { Replica } from "../../catalog/replicas.ts";
import type { Gateway } from "../../gateway.ts";
import { jsonCodec, openTable, type Table } from "../../index/table.ts";
import { fileError } from "../../store/files.ts";
import { putProven } from "../chain/namedObjects.ts";
import { RootChain } from "../chain/rootChain.ts";
import { gatewayFolder, namedKey } from "../keys.ts";
import type { ReplicaStore } from "../replicaStore.ts";
import { exportGatewayPart } from "./gatewayPart.ts";

/** What was written to a replica last: SHA-256, hex, of sealed.json, of the catalog's text, and of that text without what was seen. */
type Written = {
  readonly sealed: string;
  readonly text: string;
  readonly textUnseen: string;
  /** Milliseconds since 1970. */
  readonly writtenMs: number;
};

type GatewayPort = Pick<Gateway, "catalog" | "dataDir" | "now">;

const seenEveryMs = 3_600_000;

/** The state as it would be written now. */
type Current = Written & { readonly sealedBytes: Buffer; readonly textBytes: Buffer };

function writtenTable({ catalog }: GatewayPort): Table<Written> {
  return openTable(catalog.environment, "replicated-state", jsonCodec<Written>());
}

async function currentState({ catalog, dataDir, now }: GatewayPort, replica: string): Promise<Current> {
  const path = join(dataDir.path, "gateway", "sealed.json");
  const sealedBytes = await readFile(path).catch((error: unknown) => {
    throw fileError(error, path);
  });
  const textBytes = exportGatewayPart(dataDir.identity, catalog, replica);
  const unseen = JSON.stringify(JSON.parse(textBytes.toString()), (name, value) =>
    name === "seen" ? null : value,
  );
  return {
    sealedBytes,
    textBytes,
    sealed: sha256(sealedBytes),
    text: sha256(textBytes),
    textUnseen: sha256(Buffer.from(unseen)),
    writtenMs: now().getTime(),
  };
}

/**
 * Whether the replica of this id should get a new state. Nothing is asked of it.
 * @throws HoldfastError io-error
 */
export async function gatewayStatePending(gateway: GatewayPort, replica: string): Promise<boolean> {
  return differs(writtenTable(gateway).get(fromHex(replica, 16)), await currentState(gateway, replica));
}

function differs(written: Written | undefined, current: Current): boolean {
  if (written === undefined) return true;
  if (written.sealed !== current.sealed || written.textUnseen !== current.textUnseen) return true;
  return written.text !== current.text && current.writtenMs - written.writtenMs >= seenEveryMs;
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
 * Writes the gateway's state to a replica if it differs from what was written last. Answers whether a root was appended.
 * @throws HoldfastError replica-fenced, rollback-detected, and what stores throw; io-error
 */
export async function replicateGateway(options: ReplicateGatewayOptions): Promise<boolean> {
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
  if (own && !differs(table.get(key), current)) return false;
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
  let outcome: "appended" | "overtaken";
  do ({ outcome } = await chain.append(content, { takeOver, signal }));
  while (outcome === "overtaken");
  const { sealed, text, textUnseen, writtenMs } = current;
  gateway.catalog.write(() => table.put(key, { sealed, text, textUnseen, writtenMs }));
  return true;
}

function sha256(bytes: Uint8Array): string {
  return toHex(createHash("sha256").update(bytes).digest());
}
