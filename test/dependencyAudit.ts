// Known holes in what we ship, as the registry knows them: `npm audit`. Where the registry cannot be asked, that is said loudly, and nothing is
// failed: tests run on laptops without a network, too. What can be checked without it is in test/supplyChain.test.ts.

import { spawnSync } from "node:child_process";
import { join } from "node:path";

/** Advisories that do not concern us, and why. */
const accepted: Readonly<Record<string, string>> = {};

export type AuditOutcome =
  | { readonly kind: "clean" }
  | { readonly kind: "found"; readonly advisories: readonly string[] }
  | { readonly kind: "notDone"; readonly why: string };

type Report = {
  readonly vulnerabilities?: Readonly<
    Record<
      string,
      {
        readonly via: readonly (
          | string
          | { readonly url?: string; readonly title?: string; readonly severity?: string }
        )[];
      }
    >
  >;
  readonly metadata?: unknown;
  readonly message?: string;
  readonly error?: { readonly summary?: string };
};

/** What `npm audit --json` wrote. Holes of any severity count: there are few packages, and each can be looked at. */
export function readAudit(stdout: string, known: Readonly<Record<string, string>> = accepted): AuditOutcome {
  let report: Report;
  try {
    report = JSON.parse(stdout) as Report;
  } catch {
    return { kind: "notDone", why: "npm gave no report" };
  }
  // An error, or half an answer, has no such member.
  if (report.vulnerabilities === undefined || report.metadata === undefined)
    return { kind: "notDone", why: report.error?.summary || report.message || "the registry did not answer" };
  const advisories = new Set<string>();
  for (const [name, { via }] of Object.entries(report.vulnerabilities)) {
    for (const each of via) {
      if (typeof each === "string") continue;
      const id = each.url?.split("/").at(-1) ?? each.title ?? "unnamed";
      if (known[id] === undefined) advisories.add(`${name}: ${each.severity} ${id} ${each.title}`);
    }
  }
  return advisories.size === 0 ? { kind: "clean" } : { kind: "found", advisories: [...advisories] };
}

/** Asks the configured registry about everything that is shipped. */
export function auditDependencies(): AuditOutcome {
  const { stdout, error } = spawnSync("npm", ["audit", "--omit=dev", "--json"], {
    cwd: join(import.meta.dirname, ".."),
    encoding: "utf8",
    timeout: 60_000,
    maxBuffer: 64 << 20,
  });
  return error === undefined ? readAudit(stdout) : { kind: "notDone", why: error.message };
}
