// holdfast gateway audit list

import type { AuditEntry } from "../../gateway/audit/entry.ts";
import { ErrorCode, HoldfastError } from "../../vault/errors.ts";
import type { CommandContext } from "../cli/command.ts";
import { parseDuration } from "../cli/units.ts";
import { withAdmin } from "../gatewayAccess.ts";

const pageEntries = 500;

export async function run(context: CommandContext): Promise<void> {
  const { args, output, signal } = context;
  const since = args.text("since");
  const event = args.text("event");
  const query = {
    ...(since !== undefined && { sinceMs: sinceMs(since, context.nowMs()) }),
    ...(event !== undefined && { event }),
    limit: pageEntries,
  };
  await withAdmin(context, async ({ audit }) => {
    for (let after: number | null = 0; after !== null; ) {
      signal.throwIfAborted();
      const page = await audit.list({ ...query, after });
      for (const entry of page.entries) await output.result(lineOf(entry), entry);
      after = page.next;
    }
  });
}

/** @throws HoldfastError usage */
function sinceMs(text: string, nowMs: number): number {
  const time = /^\d{4}-\d\d-\d\dT/.test(text) ? Date.parse(text) : Number.NaN;
  if (!Number.isNaN(time)) return time;
  try {
    return nowMs - parseDuration(text) * 1000;
  } catch (cause) {
    throw new HoldfastError(ErrorCode.usage, `--since is neither a span nor a time: ${text}`, {
      next: "Give 24h, 7d or a time like 2026-11-22T05:45:12Z.",
      cause,
    });
  }
}

function lineOf({ time, event, outcome, code, actor, address, subject }: AuditEntry): string {
  const { kind, ...names } = actor;
  const said = outcome === "done" ? "" : ` ${outcome}${code === null ? "" : ` (${code})`}`;
  const from = address === null ? "" : ` from ${address}`;
  return `${time} ${event}${said} by ${[kind, ...pairs(names)].join(" ")}${from}${pairs(subject)
    .map((pair) => ` ${pair}`)
    .join("")}`;
}

function pairs(values: Readonly<Record<string, unknown>>): string[] {
  return Object.entries(values)
    .filter(([, value]) => value !== null)
    .map(([name, value]) => `${name}=${JSON.stringify(value)}`);
}
