// What the program says with --json.

export type Event = Readonly<Record<string, unknown>> & { readonly event: string };

/** All events but progress, in their order. */
export function eventsOf(stdout: string): Event[] {
  const lines = stdout.split("\n").filter((line) => line !== "");
  return lines.map((line) => JSON.parse(line) as Event).filter(({ event }) => event !== "progress");
}
