// Parts of what is noted.

import type { RetentionScope } from "../admin/retentionOperations.ts";
import type { AuditSubject } from "./events.ts";

/** What of the scope was given. */
export function scopeOf({ account, vault, device, item }: RetentionScope): AuditSubject {
  const named = Object.entries({ account, vault, device, item });
  return Object.fromEntries(named.flatMap(([name, value]) => (value === undefined ? [] : [[name, value]])));
}

/** The first of them, and how many there are. */
export function listOf(snapshots: readonly string[]): AuditSubject {
  return { snapshots, count: snapshots.length };
}
