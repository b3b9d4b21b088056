// The rows of commands about the ransomware guard.

import type { CommandSpec, OptionSpec } from "./command.ts";
import { data } from "./gatewayOptions.ts";

const account: OptionSpec = { name: "account", kind: "text", value: "NAME", summary: "only this account's" };
const device: OptionSpec = {
  name: "device",
  kind: "text",
  value: "NAME",
  summary: "the item's device, where several have one of this name",
};
const item: OptionSpec = { name: "item", kind: "text", value: "NAME", summary: "this item" };
const all: OptionSpec = { name: "all", kind: "flag", summary: "everything of the vault that is held" };
const vault = { name: "ACCOUNT[/VAULT]", required: true } as const;

function threshold(name: string, summary: string): OptionSpec {
  return { name, kind: "integer", value: "PERCENT", summary };
}

export const guardCommands: readonly CommandSpec[] = [
  {
    path: ["guard", "status"],
    summary: "show which items are held after a sudden change, and why",
    details: [
      "A held item loses no snapshot to any policy. Look at the snapshot that is named (`agent ls`, `agent diff`, a drive), then say what it was: `guard accept` or `guard confirm`.",
    ],
    operands: [],
    options: [
      data,
      account,
      { ...device, summary: "only this device's" },
      { ...item, summary: "only this item" },
      { name: "all", kind: "flag", summary: "every item, with what is usual for it" },
    ],
    example: "holdfast guard status --data /srv/holdfast",
    endsWithReader: true,
    load: () => import("../commands/guardStatus.ts"),
  },
  {
    path: ["guard", "accept"],
    summary: "say that the change was honest: the hold ends, and what came since is usual from now on",
    operands: [vault],
    options: [data, item, device, all],
    example: "holdfast guard accept acme --item files --data /srv/holdfast",
    load: () => import("../commands/guardAccept.ts"),
  },
  {
    path: ["guard", "confirm"],
    summary: "say that it was an attack: hold and pins stay until `guard release`",
    operands: [vault],
    options: [data, item, device, all],
    example: "holdfast guard confirm acme --item files --data /srv/holdfast",
    load: () => import("../commands/guardConfirm.ts"),
  },
  {
    path: ["guard", "release"],
    summary: "say that an attack is over: later backups count again, the pins stay",
    details: [
      "When the machine is clean and its files are restored. The last good snapshots stay pinned until `holdfast snapshot unpin`.",
    ],
    operands: [vault],
    options: [data, item, device, all],
    example: "holdfast guard release acme --item files --data /srv/holdfast",
    load: () => import("../commands/guardRelease.ts"),
  },
  {
    path: ["guard", "set"],
    summary: "set from what on the guard holds an item, or the items of a vault",
    details: [
      "Percentages of the item's files or content; 0 switches a rule off. What is not given is the vault's for an item, the gateway's (config.toml) for a vault. The settings replace those before, whole; without any option they are removed.",
    ],
    operands: [vault],
    options: [
      data,
      { ...item, summary: "of this item alone" },
      device,
      { name: "off", kind: "flag", summary: "do not look at these snapshots" },
      { name: "on", kind: "flag", summary: "look at them, where the vault or gateway is off" },
      threshold("rewritten", "so much is replaced, whatever it looks like (50)"),
      threshold("encrypted", "so much is replaced by what does not shrink (10)"),
      threshold("renamed", "so many files have other names in their folders (25)"),
      threshold("vanished", "so much is gone (60)"),
      threshold("creeping", "so much is replaced over 12 snapshots (15)"),
    ],
    example: "holdfast guard set acme --item photos --rewritten 30 --creeping 0 --data /srv/holdfast",
    load: () => import("../commands/guardSet.ts"),
  },
];
