// Feature flags: what a program must know before it does an operation on a vault (docs/format.md section 3).
import { ErrorCode, HoldfastError } from "./errors.ts";

export const operations = ["read", "write", "gc", "verify"] as const;
export type Operation = (typeof operations)[number];

/** What this program knows, by operation. Version 1 needs none. */
const known: Readonly<Record<Operation, ReadonlySet<string>>> = {
  read: new Set(),
  write: new Set(),
  gc: new Set(),
  verify: new Set(),
};

/** @throws HoldfastError unsupported that names the first unknown flag */
export function requireKnownFeatures(flags: readonly string[], operation: Operation, what: string): void {
  for (const flag of flags) {
    if (known[operation].has(flag)) continue;
    const name = JSON.stringify(flag.slice(0, 100));
    throw new HoldfastError(ErrorCode.unsupported, `${what} needs the feature ${name} to ${operation}`, {
      next: "Use a newer version of this program.",
      detail: { feature: flag.slice(0, 100), operation },
    });
  }
}
