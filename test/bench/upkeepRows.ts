import { memoryRows, type RowDefinition } from "./rows.ts";

/** The rows of `--upkeep`. "source" is sha256sum of the same packs. */
export const upkeepRows: readonly RowDefinition[] = [
  {
    id: "prune",
    title: "half of the snapshots removed, and their room freed",
    unit: "s",
    goal: { kind: "ratio", against: "restic", atMost: 0.5 },
  },
  { id: "prune-freed", title: "bytes freed by it", unit: "bytes" },
  { id: "prune-stored", title: "stored bytes after it", unit: "bytes" },
  { id: "beside-quiet", title: "first backup", unit: "bytes/s" },
  {
    id: "beside-gc",
    title: "the same while garbage is collected",
    unit: "bytes/s",
    goal: { kind: "row", row: "beside-quiet", called: "without", atLeast: 0.8 },
  },
  {
    id: "scrub",
    title: "all packs scrubbed",
    unit: "bytes/s",
    goal: { kind: "ratio", against: "source", atLeast: 0.8 },
  },
  {
    id: "gc-index-bytes",
    title: "large index: bytes per chunk",
    unit: "bytes",
    goal: { kind: "bound", atMost: 100 },
  },
  {
    id: "gc-index-lookups",
    title: "large index: looked up",
    unit: "/s",
    goal: { kind: "bound", atLeast: 300_000 },
  },
  {
    id: "gc-index-mark",
    title: "large index: references marked",
    unit: "/s",
    goal: { kind: "bound", atLeast: 1_000_000 },
  },
  { id: "gc-index-time", title: "large index: garbage collected, half of it", unit: "s" },
  { id: "gc-index-memory", title: "of that: memory", unit: "bytes" },
  { id: "gc-index-held", title: "of that: longest that nothing else got its turn", unit: "s" },
  ...memoryRows,
];
