// The rows of commands for boxes that carry backups to a datacentre, on the gateways' own machines.

import type { CommandSpec, OptionSpec } from "./command.ts";
import { data, passphraseFile } from "./gatewayOptions.ts";

function text(name: string, value: string, summary: string): OptionSpec {
  return { name, kind: "text", value, summary };
}

function texts(name: string, value: string, summary: string): OptionSpec {
  return { name, kind: "texts", value, summary };
}

const dryRun: OptionSpec = {
  name: "dry-run",
  kind: "flag",
  summary: "say what would be done, how much and how long, and do nothing",
};
const by = text("by", "TEXT", "who does it, for the custody log (this user's name)");

export const seedCommands: readonly CommandSpec[] = [
  {
    path: ["seed", "prepare"],
    summary: "make a box: a portable gateway that takes first backups at the customer's site",
    details: [
      "DIR is an empty directory, or the root of an empty disk. The box knows the chosen accounts, their devices (all, or those named) and keys, and none of their content; its disk tells nothing without the passphrase. From now on these devices' agents go to the box, at the addresses given by --url.",
      "Run `holdfast gateway run --data DIR --passphrase-file FILE` at the customer's site, and `holdfast seed seal` when the backups are done. Stopped in the middle, the same command goes on.",
    ],
    operands: [{ name: "DIR", required: true }],
    options: [
      data,
      texts("account", "NAME", "account that the box is for"),
      texts("device", "NAME", "one device of the account (all of them)"),
      text("listen", "ADDRESS:PORT", "where the box listens (0.0.0.0:7440)"),
      texts("url", "https://HOST:PORT", "where agents find the box"),
      texts(
        "datacentre-url",
        "https://HOST:PORT",
        "where the box finds this gateway (public-url of config.toml)",
      ),
      text("name", "NAME", 'what people call the box ("box N")'),
      passphraseFile,
      by,
      dryRun,
      { name: "kdf-iterations", kind: "integer", value: "N", summary: "for tests", hidden: true },
    ],
    example:
      "holdfast seed prepare /mnt/box --data /srv/holdfast --account acme --url https://192.168.1.9:7440 --passphrase-file box.txt",
    load: () => import("../commands/seedPrepare.ts"),
  },
  {
    path: ["seed", "seal"],
    summary: "seal a box: read and compare everything on board, sign what is there, and take no more backups",
    details: [
      "Ends what is uploading, reads every pack, and writes the signed manifest. From then on agents go to the datacentre again, by themselves. Prints the box's number and code, and the same as a QR code for the label. Stopped in the middle, the next seal goes on.",
      "Then the manifest is sent to the datacentre, so that the next backups there are increments. Without a line: --offline --manifest-out FILE, and `holdfast seed promise FILE` at the datacentre.",
      "Packs that are damaged stay off the manifest and are named, with the snapshots that need them (exit status 3): the agents send again what was in them.",
    ],
    operands: [],
    options: [
      data,
      passphraseFile,
      { name: "offline", kind: "flag", summary: "do not send the manifest" },
      text("manifest-out", "FILE", "write manifest and lists to one file, for `seed promise`"),
      { name: "reopen", kind: "flag", summary: "take backups again: before the box was handed over" },
      by,
      dryRun,
    ],
    example: "holdfast seed seal --data /mnt/box",
    load: () => import("../commands/seedSeal.ts"),
  },
  {
    path: ["seed", "extend"],
    summary: "give a box a second disk, for when its own gets full",
    details: [
      "The second disk gets a copy of everything on board, sealed as it is, and content packs leave the first disk from 85% on (evict-above-percent in config.toml) once their copy is proven. So it has to hold all that the box is to take. Both disks are carried, and both are mounted when the box is sealed.",
    ],
    operands: [],
    options: [data, passphraseFile, text("disk", "DIR", "folder of the second disk"), by, dryRun],
    example: "holdfast seed extend --data /mnt/box --disk /mnt/box2",
    load: () => import("../commands/seedExtend.ts"),
  },
  {
    path: ["seed", "promise"],
    summary: "take in a sealed box's manifest from a file, at the datacentre",
    details: [
      "FILE is what `holdfast seed seal --offline --manifest-out FILE` wrote. From then on the datacentre counts on what is on board, and the next backups are increments.",
    ],
    operands: [{ name: "FILE", required: true }],
    options: [data, { ...dryRun, summary: "read and compare the file, say how long, and do nothing" }],
    example: "holdfast seed promise box-7.hfb --data /srv/holdfast",
    load: () => import("../commands/seedPromise.ts"),
  },
  {
    path: ["seed", "status"],
    summary: "show boxes and what is expected of them; on a box, what is on board",
    operands: [{ name: "NUMBER" }],
    options: [data, passphraseFile],
    example: "holdfast seed status --data /srv/holdfast",
    endsWithReader: true,
    load: () => import("../commands/seedStatus.ts"),
  },
  {
    path: ["seed", "custody"],
    summary: "show who had a box when, or add a note to that",
    operands: [],
    options: [data, passphraseFile, text("add", "TEXT", "add a note"), by],
    example: "holdfast seed custody --data /mnt/box --add 'handed to the courier, seal 4711 unbroken'",
    endsWithReader: true,
    load: () => import("../commands/seedCustody.ts"),
  },
];
