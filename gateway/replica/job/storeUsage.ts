// Adding up what was asked of stores.

import type { StoreUsage } from "../replicaStore.ts";

export const noUsage: StoreUsage = { requests: {}, sentBytes: 0, receivedBytes: 0, retries: 0 };

/** Both together. */
export function addUsage(a: StoreUsage, b: StoreUsage): StoreUsage {
  return combined(a, b, 1);
}

/** What came after `before`. */
export function usageSince(before: StoreUsage, now: StoreUsage): StoreUsage {
  return combined(now, before, -1);
}

function combined(a: StoreUsage, b: StoreUsage, sign: 1 | -1): StoreUsage {
  const requests: Record<string, number> = { ...a.requests };
  for (const [name, count] of Object.entries(b.requests)) {
    requests[name] = (requests[name] ?? 0) + sign * count;
    if (requests[name] === 0) delete requests[name];
  }
  return {
    requests,
    sentBytes: a.sentBytes + sign * b.sentBytes,
    receivedBytes: a.receivedBytes + sign * b.receivedBytes,
    retries: a.retries + sign * b.retries,
  };
}
