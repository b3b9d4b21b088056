// From a replica's address to a store.

import type { Proxies } from "../../ingest/line/proxies.ts";
import { ErrorCode, HoldfastError } from "../../vault/errors.ts";
import type { Replica } from "../catalog/replicas.ts";
import { FolderStore } from "./folder/folderStore.ts";
import { folderOfUrl } from "./folder/folderUrl.ts";
import { openPeerStore } from "./peer/openPeerStore.ts";
import type { ReplicaStore } from "./replicaStore.ts";
import type { S3Context } from "./s3/s3Calls.ts";
import { openS3Store } from "./s3/s3Store.ts";
import { withoutSecrets } from "./withoutSecrets.ts";

/** What stores need of the process they run in. */
export type StoreContext = {
  readonly now: () => Date;
  /** Undefined: straight. */
  readonly proxies?: Proxies | undefined;
};

/** What S3 needs of it. */
export function s3Context({ now, proxies }: StoreContext): S3Context {
  return { now, proxies, environment: process.env };
}

export type ReplicaAddress = Pick<Replica, "url" | "options" | "conditionalPuts" | "comparesSha256">;

/**
 * Opens the store of a replica.
 * @throws HoldfastError usage for an address that is none; replica-unreachable, replica-refused, unsupported
 */
export async function openReplicaStore(
  replica: ReplicaAddress,
  context: StoreContext,
): Promise<ReplicaStore> {
  const { url, conditionalPuts } = replica;
  if (url.startsWith("https:")) return openPeerStore(replica, { proxies: context.proxies });
  if (url.startsWith("s3:")) return openS3Store(inOwnPlace(replica), s3Context(context));
  if (url.startsWith("file:")) return FolderStore.open(folderOfUrl(url), url, conditionalPuts);
  throw new HoldfastError(ErrorCode.usage, `not the address of a replica: ${withoutSecrets(url)}`, {
    next: "Write file:///PATH, s3://BUCKET/PREFIX or https://PEER:PORT.",
  });
}

/**
 * `conditionalPuts` is said of the place of the roots, `lockDays` and `comparesSha256` of the place of all else. Where these are two, the first heeds conditions and has no lock,
 * and the second is not relied on to heed them.
 */
function inOwnPlace(replica: ReplicaAddress): ReplicaAddress {
  const { rootUrl, lockDays: _ofTheRest, ...options } = replica.options;
  if (rootUrl === undefined) return replica;
  if (rootUrl === replica.url) return { ...replica, options, comparesSha256: false };
  return { ...replica, conditionalPuts: false };
}
