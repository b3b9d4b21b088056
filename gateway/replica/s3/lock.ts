// Object Lock: how long which objects are held, and until when.

import type { ReplicaOptions } from "../../catalog/replicas.ts";

type LockDays = NonNullable<ReplicaOptions["lockDays"]>;

const dayMs = 86_400_000;

/** Until when an object that is put now is held; undefined: not at all. Packs are one class, all else is metadata. */
export function retainUntil(key: string, lockDays: LockDays | undefined, now: Date): Date | undefined {
  if (lockDays === undefined) return undefined;
  const days = /^vaults\/[^/]+\/packs\//.test(key) ? lockDays.packs : lockDays.metadata;
  return days > 0 ? new Date(now.getTime() + days * dayMs) : undefined;
}
