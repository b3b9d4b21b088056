// The rows of commands about how long snapshots stay.

import type { CommandSpec, OptionSpec } from "./command.ts";
import { data } from "./gatewayOptions.ts";

const account: OptionSpec = {
  name: "account",
  kind: "text",
  value: "NAME",
  summary: "only this account's",
};
const device: OptionSpec = { name: "device", kind: "text", value: "NAME", summary: "only this device's" };
const item: OptionSpec = { name: "item", kind: "text", value: "NAME", summary: "only this item" };
const dryRun: OptionSpec = {
  name: "dry-run",
  kind: "flag",
  summary: "say of every snapshot whether it stays and why, and move nothing",
};
const snapshots = { name: "SNAPSHOT", required: true, many: true } as const;

function keep(name: string, summary: string): OptionSpec {
  return { name, kind: "integer", value: "N", summary };
}

export const retentionCommands: readonly CommandSpec[] = [
  {
    path: ["retention", "set"],
    summary: "say how long a vault's or an item's snapshots stay",
    details: [
      "ACCOUNT alone means its vault main. Rules are independent: a snapshot stays when one of them keeps it. The policy replaces the one before, whole; an item's replaces its vault's. Without any everything stays.",
      "When the gateway received a snapshot counts, and nothing that an agent says. The newest and the newest complete snapshot of an item, and pinned ones, always stay. `holdfast gateway prune` moves the others to the trash.",
    ],
    operands: [{ name: "ACCOUNT[/VAULT]", required: true }],
    options: [
      data,
      { ...item, summary: "of this item alone" },
      { ...device, summary: "the item's device, where several have one of this name" },
      keep("last", "the newest N"),
      keep("hourly", "the newest one of each of N hours"),
      keep("daily", "the newest one of each of N days"),
      keep("weekly", "the newest one of each of N weeks (ISO)"),
      keep("monthly", "the newest one of each of N months"),
      keep("yearly", "the newest one of each of N years"),
      {
        name: "within",
        kind: "duration",
        value: "TIME",
        summary: "all that were received so long before the item's newest, like 48h or 30d",
      },
      { name: "tag", kind: "texts", value: "TAG", summary: "all with this tag (again for more)" },
      {
        name: "time-zone",
        kind: "text",
        value: "ZONE",
        summary: "in which days begin, like Europe/Vienna (UTC)",
      },
      {
        name: "trash",
        kind: "duration",
        value: "TIME",
        summary: "how long what goes can be brought back at least (14d)",
      },
    ],
    example: "holdfast retention set acme --daily 14 --weekly 8 --monthly 12 --data /srv/holdfast",
    load: () => import("../commands/retentionSet.ts"),
  },
  {
    path: ["retention", "show"],
    summary: "show which policies there are",
    operands: [],
    options: [data, account, device, item],
    example: "holdfast retention show --data /srv/holdfast",
    endsWithReader: true,
    load: () => import("../commands/retentionShow.ts"),
  },
  {
    path: ["retention", "remove"],
    summary: "remove a policy: of an item, so that its vault's counts, or of a vault",
    operands: [{ name: "ACCOUNT[/VAULT]", required: true }],
    options: [data, item, { ...device, summary: "the item's device, where several have one of this name" }],
    example: "holdfast retention remove acme --item mail --data /srv/holdfast",
    load: () => import("../commands/retentionRemove.ts"),
  },
  {
    path: ["gateway", "prune"],
    summary: "move the snapshots that no rule keeps to the trash",
    details: [
      "Only items with a policy (`holdfast retention set`) lose any. What is in the trash is in no list and no drive, takes its room still, and comes back with `holdfast gateway undelete`.",
      "A vault that a box is on its way to keeps everything (exit status 3).",
    ],
    operands: [],
    options: [data, account, device, item, dryRun],
    example: "holdfast gateway prune --dry-run --data /srv/holdfast",
    load: () => import("../commands/gatewayPrune.ts"),
  },
  {
    path: ["gateway", "gc"],
    summary: "free the room of what no snapshot needs any more",
    details: [
      "Takes out of the trash, for good, what was there until its time was over; finds what no snapshot and no backup that is under way needs; deletes packs in which nothing lives and writes those anew in which little does, the emptiest first. It says first what it will free. No key is needed, and backups, drives and replication go on.",
      "A running gateway does this by itself once a day (gc-every-hours in config.toml); one collection runs at a time, and --stop ends it.",
      "Ctrl-C stops; the next run goes on. A vault that a box is on its way to keeps everything (exit status 3). Replicas follow with their next run.",
    ],
    operands: [],
    options: [
      data,
      account,
      { ...dryRun, summary: "say what would be freed, and change nothing" },
      {
        name: "budget",
        kind: "bytes",
        value: "SIZE",
        summary: "copy at most so much to write packs anew, like 50GiB",
      },
      {
        name: "for",
        kind: "duration",
        value: "TIME",
        summary: "begin no other pack after so long, like 2h",
      },
      {
        name: "evicted",
        kind: "flag",
        summary: "write packs anew that are in replicas alone, too: they are fetched for it",
      },
      { name: "stop", kind: "flag", summary: "ask the collection that runs to stop, whoever began it" },
    ],
    example: "holdfast gateway gc --dry-run --data /srv/holdfast",
    load: () => import("../commands/gatewayGc.ts"),
  },
  {
    path: ["gateway", "trash"],
    summary: "show what is in the trash, why, and until when",
    operands: [],
    options: [data, account, device, item],
    example: "holdfast gateway trash --data /srv/holdfast",
    endsWithReader: true,
    load: () => import("../commands/gatewayTrash.ts"),
  },
  {
    path: ["gateway", "undelete"],
    summary: "take snapshots out of the trash again",
    details: [
      "They are as they were, at their place among the others; a policy may move them again, so pin them.",
    ],
    operands: [{ name: "SNAPSHOT", many: true }],
    options: [data, { name: "all", kind: "flag", summary: "everything that is in the trash" }],
    example: "holdfast gateway undelete 3fa2c1 --data /srv/holdfast",
    load: () => import("../commands/gatewayUndelete.ts"),
  },
  {
    path: ["snapshot", "list"],
    summary: "show the snapshots of a gateway, with pins and tags",
    operands: [],
    options: [data, account, device, item],
    example: "holdfast snapshot list --account acme --data /srv/holdfast",
    endsWithReader: true,
    load: () => import("../commands/snapshotList.ts"),
  },
  {
    path: ["snapshot", "pin"],
    summary: "keep snapshots whatever a policy says",
    operands: [snapshots],
    options: [data, { name: "reason", kind: "text", value: "TEXT", summary: "why" }],
    example: 'holdfast snapshot pin 3fa2c1 --reason "before the migration" --data /srv/holdfast',
    load: () => import("../commands/snapshotPin.ts"),
  },
  {
    path: ["snapshot", "unpin"],
    summary: "let a policy decide on snapshots again",
    operands: [snapshots],
    options: [data],
    example: "holdfast snapshot unpin 3fa2c1 --data /srv/holdfast",
    load: () => import("../commands/snapshotUnpin.ts"),
  },
  {
    path: ["snapshot", "tag"],
    summary: "give snapshots tags, or take them away",
    operands: [snapshots],
    options: [
      data,
      { name: "add", kind: "texts", value: "TAG", summary: "this tag (again for more)" },
      { name: "remove", kind: "texts", value: "TAG", summary: "not this one any more" },
    ],
    example: "holdfast snapshot tag 3fa2c1 --add quarter-end --data /srv/holdfast",
    load: () => import("../commands/snapshotTag.ts"),
  },
  {
    path: ["snapshot", "delete"],
    summary: "move snapshots to the trash",
    details: [
      "The newest and the newest complete snapshot of an item stay, and so do pinned ones. `holdfast gateway undelete` brings back what went.",
    ],
    operands: [snapshots],
    options: [data, { name: "reason", kind: "text", value: "TEXT", summary: "why, for the trash's list" }],
    example: "holdfast snapshot delete 3fa2c1 --data /srv/holdfast",
    load: () => import("../commands/snapshotDelete.ts"),
  },
];
