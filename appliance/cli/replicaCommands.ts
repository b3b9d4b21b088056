// The rows of commands that look after replicas, on the gateway's own machine.

import type { CommandSpec, OptionSpec } from "./command.ts";
import { data } from "./gatewayOptions.ts";
import { replicaPlaceOptions } from "./replicaPlace.ts";

function text(name: string, value: string, summary: string): OptionSpec {
  return { name, kind: "text", value, summary };
}

export const replicaCommands: readonly CommandSpec[] = [
  {
    path: ["replica", "add"],
    summary: "keep a second copy of all vaults in a folder, an S3 bucket or another gateway",
    details: [
      "URL is file:///PATH (a local or removable disk), s3://BUCKET/PREFIX, or https://PEER:PORT. What is kept there is encrypted, and enough to get everything back with the gateway's recovery key.",
      "The place is tried first (written, read, deleted), and what was found is printed. A running gateway then begins to copy, and goes on after every snapshot.",
      "S3 credentials come from --credentials-file, --profile or the environment of the gateway (AWS_ACCESS_KEY_ID, ...), a peer's from the token file that `holdfast peer add` wrote there. They are never copied or logged.",
      '--bandwidth is a table by time (docs/network.md), the first entry that fits counts: "weekdays from 08:00 to 18:00 60Mbit/s, unlimited". --schedule "02:00" runs at these times as well as after snapshots, "only 02:00" at these times alone.',
    ],
    operands: [
      { name: "NAME", required: true },
      { name: "URL", required: true },
    ],
    options: [
      data,
      ...replicaPlaceOptions,
      text("lock-days", "PACKS[:METADATA]", "S3: days for which Object Lock keeps what is put"),
      text("fingerprint", "SHA256:HEX", "peer: check that the token file is of this gateway"),
      text("bandwidth", "TABLE", "how fast it may send, by time (unlimited)"),
      text("schedule", "TIMES", "times of the day to run at (after every snapshot)"),
      { name: "parallel", kind: "integer", value: "N", summary: "objects on their way at a time (4)" },
    ],
    example: "holdfast replica add usb file:///mnt/usb/holdfast --data /srv/holdfast",
    load: () => import("../commands/replicaAdd.ts"),
  },
  {
    path: ["replica", "status"],
    summary: "show how far replicas are behind, and what they cost",
    details: [
      "A snapshot is offsite only with a receipt: signed proof that the replica holds everything that it needs. Asks nothing of the replica itself.",
    ],
    operands: [{ name: "NAME" }],
    options: [data],
    example: "holdfast replica status --data /srv/holdfast",
    endsWithReader: true,
    load: () => import("../commands/replicaStatus.ts"),
  },
  {
    path: ["replica", "run"],
    summary: "replicate now, and wait until it is done",
    details: [
      "Tries at once whatever the schedule and former failures say. Ctrl-C stops it; run it again, or leave it to the running gateway: it goes on where it stopped.",
      "--take-over makes this gateway the writer of a replica that another one wrote; that one stops as soon as it notices.",
    ],
    operands: [{ name: "NAME" }],
    options: [
      data,
      { name: "take-over", kind: "flag", summary: "go on where another gateway wrote; it then stops" },
    ],
    example: "holdfast replica run usb --data /srv/holdfast",
    load: () => import("../commands/replicaRun.ts"),
  },
  {
    path: ["replica", "verify"],
    summary: "read a share of a replica again and compare it",
    details: [
      "Says first how many requests and bytes it will ask for, and afterwards how many it did. Packs that were proven longest ago come first, so that repeated runs go through all of them. Exit status 1 when something is wrong and stays so, 3 when it was healed.",
    ],
    operands: [{ name: "NAME", required: true }],
    options: [
      data,
      text("share", "PERCENT", "how much to read again (5%)"),
      { name: "heal", kind: "flag", summary: "put good copies from this disk where wrong ones are found" },
    ],
    example: "holdfast replica verify usb --share 10% --heal --data /srv/holdfast",
    load: () => import("../commands/replicaVerify.ts"),
  },
  {
    path: ["replica", "remove"],
    summary: "stop keeping a replica; what is there stays there",
    details: [
      "Packs that were evicted from this disk and are nowhere else are fetched back first. Where the replica is gone for good, --abandon gives them up: what only it held is then lost.",
    ],
    operands: [{ name: "NAME", required: true }],
    options: [data, { name: "abandon", kind: "flag", summary: "give up packs that are nowhere else" }],
    example: "holdfast replica remove usb --data /srv/holdfast",
    load: () => import("../commands/replicaRemove.ts"),
  },
  {
    path: ["replica", "erase"],
    summary: "erase what removed accounts left in a replica",
    details: [
      "Deletes the vaults of accounts that `holdfast account remove` took off this gateway, their keys first, and looks again whether they are gone. What Object Lock holds goes when its days are over: run it again then. Exit status 3 while something is left.",
      "Another gateway lets nobody empty its copies from afar: have its administrator delete them.",
    ],
    operands: [{ name: "NAME", required: true }],
    options: [data, { name: "dry-run", kind: "flag", summary: "only say what is there" }],
    example: "holdfast replica erase offsite --dry-run --data /srv/holdfast",
    load: () => import("../commands/replicaErase.ts"),
  },
];
