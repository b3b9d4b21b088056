// The rows of the report and their goals.

import type { Column } from "./samples.ts";

export type Unit = "s" | "bytes" | "%" | "/s" | "bytes/s" | "requests";

export type Limits = { readonly atMost?: number; readonly atLeast?: number };

export type Goal =
  /** Holdfast's median over another column's median; "faster" is the better of restic's and borg's. */
  | ({ readonly kind: "ratio"; readonly against: Column | "faster" } & Limits)
  /** Holdfast's median over its own median in another row. */
  | ({ readonly kind: "row"; readonly row: string; readonly called: string } & Limits)
  | ({ readonly kind: "bound" } & Limits);

export type RowDefinition = {
  readonly id: string;
  readonly title: string;
  readonly unit: Unit;
  /** The row whose figures this one judges by another goal; its own where it is absent. */
  readonly samplesOf?: string;
  readonly goal?: Goal;
};

const MB = 1e6;
const MEMORY_BOUND = 350 * MB;
const ratioGoal = (against: Column | "faster", atMost: number): Goal => ({ kind: "ratio", against, atMost });
const timesGoal = (against: Column, atLeast: number): Goal => ({ kind: "ratio", against, atLeast });

export const memoryRows: readonly RowDefinition[] = [
  {
    id: "agent-memory",
    title: "agent: peak memory of any step",
    unit: "bytes",
    goal: { kind: "bound", atMost: MEMORY_BOUND },
  },
  {
    id: "gateway-memory",
    title: "gateway: peak memory of any step",
    unit: "bytes",
    goal: { kind: "bound", atMost: MEMORY_BOUND },
  },
];

/** The rows of the standard run; `mountCacheBytes` is what the Holdfast mount was allowed as cache. */
export function standardRows(mountCacheBytes: number): readonly RowDefinition[] {
  return [
    { id: "first", title: "first backup", unit: "s", goal: ratioGoal("faster", 0.5) },
    { id: "unchanged", title: "nothing changed", unit: "s", goal: ratioGoal("faster", 0.25) },
    { id: "stored", title: "stored bytes", unit: "bytes", goal: ratioGoal("restic", 1) },
    { id: "restore", title: "restore", unit: "s", goal: ratioGoal("faster", 1) },
    { id: "edits", title: "small files edited: time", unit: "s" },
    {
      id: "edits-added",
      title: "small files edited: bytes added",
      unit: "bytes",
      goal: ratioGoal("restic", 2),
    },
    { id: "image-first", title: "disk image: first backup", unit: "s" },
    { id: "image-edits", title: "disk image edited in place: time", unit: "s" },
    {
      id: "image-added",
      title: "disk image edited in place: bytes added",
      unit: "bytes",
      goal: ratioGoal("restic", 1.1),
    },
    { id: "cache-lost", title: "agent's cache deleted, nothing changed: time", unit: "s" },
    {
      id: "cache-lost-sent",
      title: "agent's cache deleted: sent, of first backup",
      unit: "%",
      goal: { kind: "bound", atMost: 1 },
    },
    { id: "second-device", title: "second device, same tree: time", unit: "s" },
    {
      id: "second-device-sent",
      title: "second device, same tree: sent, of first backup",
      unit: "%",
      goal: { kind: "bound", atMost: 2 },
    },
    { id: "second-device-read-back", title: "second device: bytes read back to verify", unit: "bytes" },
    { id: "second-device-edited", title: "second device after the edits: time", unit: "s" },
    {
      id: "second-device-edited-sent",
      title: "second device after the edits: sent, of first backup",
      unit: "%",
      goal: { kind: "bound", atMost: 2 },
    },
    {
      id: "second-device-edited-read-back",
      title: "second device after the edits: bytes read back to verify",
      unit: "bytes",
    },
    { id: "stream-file", title: "disk image by a new device", unit: "s" },
    {
      id: "stream-program",
      title: "the same bytes from a program",
      unit: "s",
      goal: { kind: "row", row: "stream-file", called: "the file", atMost: 1.11 },
    },
    ...mountRows(mountCacheBytes),
    ...agentMountRows(mountCacheBytes),
    ...webdavRows,
    ...memoryRows,
  ];
}

function mountMemory(cacheBytes: number): Goal {
  return { kind: "bound", atMost: 150 * MB + cacheBytes };
}

function mountRows(cacheBytes: number): readonly RowDefinition[] {
  return [
    { id: "find", title: "mount: find (with stat)", unit: "s", goal: ratioGoal("faster", 0.5) },
    {
      id: "tar-cold",
      title: "mount: tar of everything, fresh mount",
      unit: "s",
      goal: ratioGoal("restic", 0.2),
    },
    {
      id: "tar-cold-borg",
      title: "mount: the same beside borg",
      unit: "s",
      samplesOf: "tar-cold",
      goal: ratioGoal("borg", 0.35),
    },
    { id: "tar-warm", title: "mount: tar again", unit: "s", goal: ratioGoal("source", 2) },
    {
      id: "mount-memory",
      title: "mount: memory after find and both tars",
      unit: "bytes",
      goal: mountMemory(cacheBytes),
    },
    {
      id: "read-image",
      title: "mount: image read front to back, fresh mount",
      unit: "bytes/s",
      goal: { kind: "bound", atLeast: 400 * MB },
    },
    {
      id: "random-cold",
      title: "mount: 4 KiB random reads, fresh mount",
      unit: "/s",
      goal: timesGoal("restic", 5),
    },
    { id: "random-warm", title: "mount: the same reads again", unit: "/s", goal: timesGoal("source", 0.5) },
  ];
}

/** The agent's own drive, over HTTPS, beside the gateway's. */
function agentMountRows(cacheBytes: number): readonly RowDefinition[] {
  const rows: readonly (readonly [string, string, Unit])[] = [
    ["find", "find", "s"],
    ["tar-cold", "tar, fresh mount", "s"],
    ["tar-warm", "tar again", "s"],
    ["read-image", "image front to back", "bytes/s"],
    ["random-cold", "random reads, fresh mount", "/s"],
    ["random-warm", "random reads again", "/s"],
  ];
  return [
    ...rows.map(([row, title, unit]): RowDefinition => {
      const limits = unit === "s" ? { atMost: 2 } : { atLeast: 0.5 };
      return {
        id: `agent-${row}`,
        title: `agent mount: ${title}`,
        unit,
        goal: { kind: "row", row, called: "the gateway's drive", ...limits },
      };
    }),
    {
      id: "agent-mount-memory",
      title: "agent mount: memory after find and both tars",
      unit: "bytes",
      goal: mountMemory(cacheBytes),
    },
  ];
}

const webdavRows: readonly RowDefinition[] = [
  {
    id: "webdav-get",
    title: "WebDAV: GET of the image",
    unit: "bytes/s",
    goal: { kind: "bound", atLeast: 300 * MB },
  },
  {
    id: "webdav-list",
    title: "WebDAV: PROPFIND of 10,000 entries",
    unit: "s",
    goal: { kind: "bound", atMost: 0.3 },
  },
  {
    id: "webdav-ranges",
    title: "WebDAV: 64 KiB range reads",
    unit: "/s",
    goal: timesGoal("restic", 10),
  },
];

/** The rows of `--large`. */
export const largeRows: readonly RowDefinition[] = [
  { id: "many-first", title: "many small files: first backup", unit: "s" },
  { id: "many-unchanged", title: "many small files: nothing changed", unit: "s" },
  {
    id: "first-byte",
    title: "many small files: first byte of any, fresh mount",
    unit: "s",
    goal: { kind: "bound", atMost: 0.05 },
  },
  {
    id: "long-listing",
    title: "folder of 100,000 files: ls -l, fresh mount",
    unit: "s",
    goal: { kind: "bound", atMost: 2 },
  },
  { id: "long-propfind", title: "folder of 100,000 files: PROPFIND", unit: "s" },
  { id: "sparse-first", title: "sparse file: first backup", unit: "s" },
  { id: "sparse-unchanged", title: "sparse file: nothing changed", unit: "s" },
  ...memoryRows,
  { id: "index-inserted", title: "index: inserted", unit: "/s", goal: { kind: "bound", atLeast: 100_000 } },
  {
    id: "index-last-million",
    title: "index: inserted, last million",
    unit: "/s",
    goal: { kind: "bound", atLeast: 100_000 },
  },
  { id: "index-lookups", title: "index: looked up", unit: "/s", goal: { kind: "bound", atLeast: 300_000 } },
  { id: "index-bytes", title: "index: bytes per chunk", unit: "bytes", goal: { kind: "bound", atMost: 100 } },
];

/** The rows of `--offsite`. */
export const offsiteRows: readonly RowDefinition[] = [
  {
    id: "offsite-first",
    title: "first backup, until all is in S3",
    unit: "s",
    goal: ratioGoal("restic", 0.6),
  },
  { id: "offsite-backup", title: "of that: the agent's backup", unit: "s" },
  {
    id: "replicate",
    title: "all packs to another bucket",
    unit: "bytes/s",
    goal: timesGoal("rclone", 0.7),
  },
  { id: "evict", title: "evict all, each copy read back", unit: "bytes/s" },
  {
    id: "evicted-read",
    title: "evicted image front to back, fresh mount",
    unit: "bytes/s",
    goal: timesGoal("rclone", 0.6),
  },
  {
    id: "evicted-requests",
    title: "evicted image, 4 KiB random reads: GETs per MiB block touched",
    unit: "requests",
    goal: { kind: "bound", atMost: 1 },
  },
  { id: "evicted-random", title: "the same: reads a second", unit: "/s" },
  ...memoryRows,
];

/** The rows of `--seeding`. "source" is rsync -a and sha256sum of the same files, one after the other. */
export const seedingRows: readonly RowDefinition[] = [
  { id: "seed-plain", title: "first backup to a gateway", unit: "s" },
  {
    id: "seed-first",
    title: "first backup to a box",
    unit: "s",
    goal: { kind: "row", row: "seed-plain", called: "a gateway", atMost: 1.05 },
  },
  { id: "seed-seal", title: "seal: all packs read and compared", unit: "bytes/s" },
  {
    id: "seed-promise",
    title: "list of chunks, bytes a chunk",
    unit: "bytes",
    goal: { kind: "bound", atMost: 10 },
  },
  { id: "seed-edits-plain", title: "small files edited: bytes to a gateway that has all", unit: "bytes" },
  {
    id: "seed-edits",
    title: "the same while the box is on its way",
    unit: "bytes",
    goal: { kind: "row", row: "seed-edits-plain", called: "a gateway that has all", atMost: 1.02 },
  },
  { id: "seed-imported", title: "taken over", unit: "bytes/s", goal: timesGoal("source", 0.8) },
  {
    id: "seed-imported-small",
    title: "taken over, many small packs",
    unit: "bytes/s",
    goal: timesGoal("source", 0.8),
  },
  ...memoryRows,
];
