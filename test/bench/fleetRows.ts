import type { RowDefinition } from "./rows.ts";

const MB = 1e6;

/** The rows of `--fleet`. */
export const fleetRows: readonly RowDefinition[] = [
  { id: "fleet-two", title: "2 agents at once: taken in", unit: "bytes/s" },
  {
    id: "fleet-all",
    title: "50 agents at once: taken in",
    unit: "bytes/s",
    goal: { kind: "row", row: "fleet-two", called: "2 agents", atLeast: 0.9 },
  },
  {
    id: "fleet-have",
    title: "beside them: a have? of 256 ids, 99th of 100",
    unit: "s",
    goal: { kind: "bound", atMost: 0.1 },
  },
  {
    id: "fleet-least",
    title: "the one that got least, of an equal share",
    unit: "%",
    goal: { kind: "bound", atLeast: 50 },
  },
  {
    id: "fleet-memory",
    title: "gateway: peak memory beside 50 agents",
    unit: "bytes",
    goal: { kind: "bound", atMost: 500 * MB },
  },
  { id: "logins-quiet", title: "first backup", unit: "s" },
  { id: "logins-spin", title: "the same beside a core that is busy with nothing", unit: "s" },
  ...(["kept", "fresh"] as const).map(
    (how): RowDefinition => ({
      id: `logins-${how}`,
      title: `the same beside a core of wrong logins, ${how} connections`,
      unit: "s",
      goal: { kind: "row", row: "logins-quiet", called: "without", atMost: 1.2 },
    }),
  ),
];
