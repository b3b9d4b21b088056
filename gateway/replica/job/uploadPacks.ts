// Brings packs to a replica, several at a time, and notes each that is there with its proof.
//
// Invariants
// - A pack is noted only after the replica acknowledged it and its proof is a hash or a checksum: what has none is read back.
// - A pack that is damaged or missing here is left out and told; any other failure stops all of them.
// - Memory: `parallel` times what the store asks for at once, and a block of 1 MiB each.

import { createHash } from "node:crypto";
import { equalBytes, toHex } from "../../../vault/bytes.ts";
import { type HoldfastError, isHoldfastError } from "../../../vault/errors.ts";
import type { PackPlaces, PlaceProof } from "../../index/packPlaces.ts";
import { packKey } from "../keys.ts";
import type { PutProof, ReplicaStore } from "../replicaStore.ts";
import { inParallel } from "../restore/inParallel.ts";
import type { JobState } from "./jobState.ts";
import type { OpenedPack } from "./localPack.ts";
import { PackSource } from "./packSource.ts";
import type { PendingPack } from "./pendingPacks.ts";
import { wrongThere } from "./putNamed.ts";
import type { UnsentPack } from "./replicationStatus.ts";
import type { Slots } from "./slots.ts";

export type UploadPort = {
  /** 32 hex digits each. */
  readonly vault: string;
  readonly replica: string;
  readonly store: ReplicaStore;
  readonly job: JobState;
  readonly places: PackPlaces;
  readonly parallel: number;
  /** Shared with the other jobs of the replica. */
  readonly slots: Slots;
  readonly open: (pack: PendingPack) => Promise<OpenedPack>;
  readonly now: () => Date;
  readonly signal: AbortSignal;
  /** Resolves when so many bytes of a pack may go. */
  readonly throttle: (pack: PendingPack, bytes: number) => Promise<void>;
  /** A pack is there (and noted), or is left out. */
  readonly ended: (pack: PendingPack, there: boolean) => void;
};

/** Bytes that one request for a pack's bytes brings when it is read back. */
const readBackBytes = 4 * 2 ** 20;

/**
 * Uploads packs that are not `put`. Answers those that are damaged or missing here.
 * @throws HoldfastError replica-unreachable, replica-refused, replica-full, replica-damaged, cancelled, disk-full, io-error
 */
export async function uploadPacks(
  packs: readonly PendingPack[],
  port: UploadPort,
): Promise<Map<PendingPack, UnsentPack>> {
  const unsent = new Map<PendingPack, UnsentPack>();
  // The first failure stops what others have under way.
  const stop = new AbortController();
  const signal = AbortSignal.any([port.signal, stop.signal]);
  await inParallel(
    packs.filter((pack) => !pack.put),
    port.parallel,
    async (pack) => {
      try {
        const damage = await port.slots.use(signal, () => upload(pack, { ...port, signal }));
        if (damage !== undefined) {
          unsent.set(pack, { pack: toHex(pack.name), code: damage.code, message: damage.message });
        }
        port.ended(pack, damage === undefined);
      } catch (error) {
        stop.abort();
        throw error;
      }
    },
  );
  return unsent;
}

/** Undefined: it is there. Else why it cannot be sent. */
async function upload(pack: PendingPack, port: UploadPort): Promise<HoldfastError | undefined> {
  const { name, ordinal, row } = pack;
  let opened: OpenedPack;
  try {
    opened = await port.open(pack);
  } catch (error) {
    if (isHoldfastError(error, "chunk-missing") || isHoldfastError(error, "io-error")) return error;
    throw error;
  }
  const source = new PackSource(name, row.bytes, opened.read);
  try {
    const proof = await put(source, pack, port);
    port.job.setPart(name, undefined);
    port.places.put(ordinal, port.replica, { listed: false, proof, provenMs: port.now().getTime() });
    return undefined;
  } catch (error) {
    if (source.damage === undefined) throw error;
    port.job.setPart(name, undefined);
    return source.damage;
  } finally {
    await opened.close();
  }
}

async function put(source: PackSource, pack: PendingPack, port: UploadPort): Promise<PlaceProof> {
  const { store, job, signal } = port;
  const { name } = pack;
  const key = packKey(port.vault, name);
  const options = {
    signal,
    resume: job.part(name),
    savePart: (resume: string | undefined) => job.setPart(name, resume),
    throttle: (bytes: number) => port.throttle(pack, bytes),
  };
  const heal = (): Promise<PutProof> => store.heal(key, source, { signal, throttle: options.throttle });
  let proof: PutProof;
  if (pack.wrong === true) proof = await heal();
  else {
    const answer = await store.putIfAbsent(key, source, options);
    if (answer.outcome === "created") ({ proof } = answer);
    // No root lists it, so nobody relies on what is there.
    else proof = (await readsBack(store, key, source, signal)) ? "hashed" : await heal();
  }
  if (proof !== "unproven") return proof;
  if (await readsBack(store, key, source, signal)) return "hashed";
  throw wrongThere(key);
}

/** Whether the bytes there have the pack's hash. A far gateway hashed them before it said that it has them. */
async function readsBack(
  store: ReplicaStore,
  key: string,
  source: PackSource,
  signal: AbortSignal,
): Promise<boolean> {
  if ((await store.head(key, signal))?.bytes !== source.bytes) return false;
  if (store.kind === "peer") return true;
  const hash = createHash("sha256");
  for (let at = 0; at < source.bytes; at += readBackBytes) {
    hash.update(await store.getRange(key, at, Math.min(readBackBytes, source.bytes - at), signal));
  }
  return equalBytes(hash.digest(), source.sha256);
}
