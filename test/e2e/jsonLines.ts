// What the program said with --json.

import type { Ran } from "../faults/program.ts";

export type Event = Readonly<Record<string, unknown>> & { readonly event: string };

/** All events but progress, in their order. */
export function eventsOf({ stdout }: Ran): Event[] {
  const lines = stdout.split("\n").filter((line) => line !== "");
  return lines.map((line) => JSON.parse(line) as Event).filter(({ event }) => event !== "progress");
}

/** The last event. */
export function lastEvent(ran: Ran): Event {
  const event = eventsOf(ran).at(-1);
  if (event === undefined) throw new Error(`the program said nothing: ${ran.stderr}`);
  return event;
}

/** Exit status, code of the error event, and the lines on stderr. */
export function failureOf(ran: Ran): { status: number | null; code: unknown; lines: string[] } {
  const lines = ran.stderr.split("\n").filter((line) => line !== "");
  return { status: ran.status, code: eventsOf(ran).find(({ event }) => event === "error")?.code, lines };
}
