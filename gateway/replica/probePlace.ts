// What a place for a replica can do, found out by trying, when it is added: with an object that is written, read and deleted again.

import { randomBytes } from "node:crypto";
import { toHex } from "../../vault/bytes.ts";
import { ErrorCode, HoldfastError } from "../../vault/errors.ts";
import { sourceOf } from "./chain/namedObjects.ts";
import { FolderStore } from "./folder/folderStore.ts";
import { folderOfUrl } from "./folder/folderUrl.ts";
import { hasHardLinks } from "./folder/hardLinks.ts";
import { markFolder } from "./folder/marker.ts";
import { gatewayFolder, rootKey } from "./keys.ts";
import { openReplicaStore, type ReplicaAddress, type StoreContext, s3Context } from "./openStore.ts";
import type { ReplicaStore } from "./replicaStore.ts";
import { probeS3 } from "./s3/probe.ts";

export type PlaceProbe = {
  /** Whether put-if-absent is atomic there. */
  readonly conditionalPuts: boolean;
  /** See Replica. */
  readonly comparesSha256?: boolean;
  /** For people, one sentence each. */
  readonly notes: readonly string[];
};

/** Somebody waits for the answer: a server that is not there is told in two seconds instead of half a minute. */
const s3TriesMax = 4;

/**
 * Tries a place. A folder becomes a replica by it, and stays one.
 * @throws HoldfastError usage, replica-unreachable, replica-refused, replica-full, replica-damaged
 */
export async function probePlace(
  address: Omit<ReplicaAddress, "conditionalPuts">,
  context: StoreContext,
): Promise<PlaceProbe> {
  if (address.url.startsWith("s3:")) {
    const { conditionalPuts, verifies, notes } = await probeS3(address, {
      ...s3Context(context),
      tuning: { triesMax: s3TriesMax },
    });
    return { conditionalPuts, comparesSha256: verifies.sha256, notes };
  }
  if (address.url.startsWith("file:")) return probeFolder(address.url);
  const store = await openReplicaStore({ ...address, conditionalPuts: true }, context);
  try {
    // A peer takes nothing but what is in the layout: that it answers and knows us is what can be tried.
    await store.head(rootKey(gatewayFolder, 1));
    return { conditionalPuts: store.conditionalPuts, notes: [] };
  } finally {
    await store.close();
  }
}

async function probeFolder(url: string): Promise<PlaceProbe> {
  const folder = folderOfUrl(url);
  await markFolder(folder);
  const store = await FolderStore.open(folder, url, true);
  const conditionalPuts = await hasHardLinks(folder);
  const able = conditionalPuts ? store : await FolderStore.open(folder, url, false);
  await probeObject(able);
  const notes = conditionalPuts
    ? []
    : [
        "Its file system has no hard links, so put-if-absent does not hold between programs: only this gateway may write there, and no other can take over.",
      ];
  return { conditionalPuts, notes };
}

async function probeObject(store: ReplicaStore): Promise<void> {
  const key = `probe/${toHex(randomBytes(16))}`;
  const bytes = randomBytes(1000);
  await store.putIfAbsent(key, sourceOf(bytes));
  const same = (await store.getRange(key, 0, bytes.length)).equals(bytes);
  await store.delete(key);
  if (!same) {
    throw new HoldfastError(ErrorCode.replicaRefused, `${store.url} does not give back what it was given`, {
      next: "Check the disk; choose another place.",
    });
  }
}
