// The gateway's own chain, opened with its recovery key: which gateway it is, its secrets and its catalog.

import { fromHex } from "../../../vault/bytes.ts";
import { ErrorCode, HoldfastError, isHoldfastError } from "../../../vault/errors.ts";
import { asHex } from "../../../vault/jsonFields.ts";
import { parseLine, splitProvenLine } from "../../../vault/replica/provenLine.ts";
import { type GatewayRoot, gatewayRootKey, parseRoot, rootHash } from "../../../vault/replica/root.ts";
import { gatewayCatalogKey, openCatalog } from "../../../vault/replica/sealedCatalog.ts";
import { type GatewayPart, parseGatewayPart } from "../gatewayState/gatewayPart.ts";
import { type OpenedState, openSealedState } from "../gatewayState/sealedState.ts";
import { gatewayFolder, rootKey } from "../keys.ts";
import type { ReplicaStore } from "../replicaStore.ts";
import { damagedObject, fetchObject } from "./fetchObject.ts";
import { fetchRoot, newestOf } from "./findRoot.ts";

/** Which state of the gateway's chain is meant: the newest, one generation, or the last one at a time (RFC 3339). */
export type WantedState = "newest" | { readonly generation: number } | { readonly time: string };

export type RestoredState = {
  readonly root: GatewayRoot;
  /** SHA-256 of the root object, hex. */
  readonly rootHash: string;
  /** The chain's newest generation. */
  readonly newest: number;
  readonly sealed: OpenedState;
  /** sealed.json as it is. */
  readonly sealedBytes: Buffer;
  readonly part: GatewayPart;
};

/** Where a replica's objects are, and where its roots: mostly the same place. */
export type RestoreStores = { readonly store: ReplicaStore; readonly roots: ReplicaStore };

/**
 * Finds and opens the state. `recoveryKey`: the private half, 32 bytes.
 * @throws HoldfastError not-found where there is no gateway's chain or no such state; key-wrong; replica-damaged; as ReplicaStore's
 */
export async function openGatewayState(
  { store, roots }: RestoreStores,
  recoveryKey: Uint8Array,
  wanted: WantedState,
  signal: AbortSignal,
): Promise<RestoredState> {
  const newest = await newestOf(roots, gatewayFolder, signal);
  if (newest === 0) {
    throw new HoldfastError(ErrorCode.notFound, `${roots.url} holds no gateway's state`, {
      next: "Check the address, prefix included: `gateway/root/0000000001` must be below it. A vault alone can be restored with its owner's key: docs/format.md, section 11.7.",
    });
  }
  const generation = await generationOf(roots, wanted, newest, signal);
  const key = rootKey(gatewayFolder, generation);
  const bytes = await fetchRoot(roots, gatewayFolder, generation, signal);
  try {
    const expected = { chain: "gateway" as const, id: gatewayIdOf(bytes), generation };
    // Its MAC can be checked only with what it names; nothing else of it counts before.
    const unproven = parseRoot(bytes, expected, undefined);
    const sealedBytes = await fetchObject(store, named(unproven.sealed), signal);
    const sealed = openSealedState(sealedBytes, recoveryKey, expected.id);
    const [secret, id] = [Buffer.from(sealed.secret, "base64"), fromHex(sealed.gateway)];
    const root = parseRoot(bytes, expected, gatewayRootKey(secret, id));
    const catalog = await fetchObject(store, named(root.catalog), signal);
    const part = parseGatewayPart(openCatalog(catalog, gatewayCatalogKey(secret, id)), sealed.gateway);
    return { root, rootHash: rootHash(bytes), newest, sealed, sealedBytes, part };
  } catch (error) {
    if (!isHoldfastError(error) || !damages.has(error.code)) throw error;
    if (error.code === ErrorCode.sealInvalid) throw foreign(key, error);
    throw damagedObject(key, `or what it names cannot be read: ${error.message}`, error);
  }
}

/** What is well-formed and not the gateway's own: nothing of it may come back, --allow-damaged or not. */
function foreign(key: string, cause: HoldfastError): HoldfastError {
  return new HoldfastError(
    ErrorCode.replicaDamaged,
    `${key} of the replica was changed, or written by somebody else than the gateway of this recovery key: ${cause.message}`,
    {
      next: "Find out who can write to the replica. `--at GENERATION` takes an earlier state that the gateway wrote.",
      detail: { object: key },
      cause,
    },
  );
}

/** What says that bytes are not what a gateway wrote. */
const damages: ReadonlySet<ErrorCode> = new Set([
  ErrorCode.corrupt,
  ErrorCode.truncated,
  ErrorCode.limitExceeded,
  ErrorCode.sealInvalid,
]);

function named(object: GatewayRoot["sealed"]): { key: string; bytes: number; sha256: Buffer } {
  return { key: gatewayFolder + object.name, bytes: object.bytes, sha256: fromHex(object.sha256) };
}

function gatewayIdOf(bytes: Uint8Array): string {
  return asHex(parseLine(splitProvenLine(bytes, 32, "a root").line, "a root").id, "id of a root", 16);
}

async function generationOf(
  roots: ReplicaStore,
  wanted: WantedState,
  newest: number,
  signal: AbortSignal,
): Promise<number> {
  if (wanted === "newest") return newest;
  if ("generation" in wanted) {
    if (wanted.generation >= 1 && wanted.generation <= newest) return wanted.generation;
    throw new HoldfastError(
      ErrorCode.notFound,
      `the replica has generations 1 to ${newest} of the gateway's state`,
    );
  }
  // Times grow along a chain, as far as the clocks of its writers do.
  let low = 0;
  for (let high = newest + 1; high - low > 1; ) {
    const middle = low + Math.floor((high - low) / 2);
    const bytes = await fetchRoot(roots, gatewayFolder, middle, signal);
    const root = parseRoot(
      bytes,
      { chain: "gateway", id: gatewayIdOf(bytes), generation: middle },
      undefined,
    );
    if (Date.parse(root.time) <= Date.parse(wanted.time)) low = middle;
    else high = middle;
  }
  if (low > 0) return low;
  throw new HoldfastError(
    ErrorCode.notFound,
    `the replica has no state of the gateway from ${wanted.time} or before`,
  );
}
