// The rows of commands that find damage in a gateway and bring back what is whole.

import type { CommandSpec, OptionSpec } from "./command.ts";
import { data, passphraseFile, passwordFile } from "./gatewayOptions.ts";

const vault: OptionSpec = {
  name: "vault",
  kind: "text",
  value: "ACCOUNT[/VAULT]",
  summary: "this vault alone",
};

/** For names of files, where no gateway runs that has keys. */
const namesOptions: readonly OptionSpec[] = [
  {
    name: "account",
    kind: "text",
    value: "NAME",
    summary: "with no running gateway: the account to open, for the names of files",
  },
  passwordFile,
];

export const upkeepCommands: readonly CommandSpec[] = [
  {
    path: ["gateway", "scrub"],
    summary: "read everything on the gateway's disk and heal what is damaged from a replica",
    details: [
      "Compares every local pack and snapshot with the hash that is its name. No key is needed. What is damaged or missing is replaced by a good copy from a replica where there is one, and both are reported: exit status 3 when all was healed, 1 when something was not.",
      "Ctrl-C stops; the next scrub goes on there, also after a restart. A running gateway does the same by itself, slowly: scrub-every-days and scrub-rate in its config.toml. Evicted packs are not on this disk: `holdfast replica verify` looks at them.",
    ],
    operands: [],
    options: [
      data,
      {
        name: "limit",
        kind: "text",
        value: "RATE",
        summary: "read at most this much, like 50MiB/s, or by time as for replicas",
      },
      { name: "no-heal", kind: "flag", summary: "only report" },
      {
        name: "status",
        kind: "flag",
        summary: "read nothing, and show when packs were last looked at and by what, the longest wait first",
      },
      { name: "from-start", kind: "flag", summary: "begin anew where an earlier scrub was stopped" },
    ],
    example: "holdfast gateway scrub --limit 50MiB/s --data /srv/holdfast",
    load: () => import("../commands/gatewayScrub.ts"),
  },
  {
    path: ["gateway", "rollback"],
    summary: "put a data directory back to what it was before its last upgrade",
    details: [
      "While no gateway runs on it, before an older version is installed again. The databases come from the copy that the upgrade made; packs and snapshots stay where they are. What was changed since (accounts, devices, policies) is gone; backups that came since are there again once the older version has run `gateway rebuild-index`.",
    ],
    operands: [],
    options: [data, { name: "dry-run", kind: "flag", summary: "only say what it would go back to" }],
    example: "holdfast gateway rollback --dry-run --data /srv/holdfast",
    load: () => import("../commands/gatewayRollback.ts"),
  },
  {
    path: ["gateway", "rebuild-index"],
    summary: "make the index of a vault anew from its packs",
    details: [
      "For an index that is lost or damaged, while no gateway runs on the directory. The new one is built beside the old one and takes its place in one step; stopped before that, nothing is lost. No key is needed.",
      "docs/repair.md says where everything comes from that is not in packs, and what is gone. A catalog (accounts, devices) that is lost comes back by `gateway restore-from` alone.",
    ],
    operands: [],
    options: [data, passphraseFile, vault],
    example: "holdfast gateway rebuild-index --data /srv/holdfast",
    load: () => import("../commands/gatewayRebuildIndex.ts"),
  },
  {
    path: ["gateway", "check"],
    summary: "look whether everything is there that snapshots reach",
    details: [
      "Holds packs, index and references against one another, without keys and beside everything else that a gateway does. Metadata packs are read whole; of content, --read-data says how much is compared with its hash, what was not for longest first. What is hurt is listed by snapshot, and by file where the vault is unlocked (`vault unlock`; without a running gateway: --account and its password).",
      "Nothing is changed. `gateway scrub` heals from replicas, `gateway repair` brings back the rest that is whole.",
    ],
    operands: [],
    options: [
      data,
      passphraseFile,
      vault,
      {
        name: "read-data",
        kind: "text",
        value: "SHARE",
        summary: "read so much of the content too, like 5% or 20GiB",
      },
      {
        name: "limit",
        kind: "text",
        value: "RATE",
        summary: "read at most this much, like 50MiB/s, or by time as for replicas",
      },
      ...namesOptions,
    ],
    example: "holdfast gateway check --read-data 5% --data /srv/holdfast",
    load: () => import("../commands/gatewayCheck.ts"),
  },
  {
    path: ["gateway", "repair"],
    summary: "bring back everything that is still whole, from any damage",
    details: [
      "While no gateway runs on the directory. Reads every pack; puts good copies from replicas in the place of what is damaged or missing; takes the records that are whole out of what is left; makes the index agree with the packs. Damaged files go to `damaged/` of their vault. No key is needed.",
      "Snapshots that lack something are kept and marked, and agents are asked for it with their next backup. With --account and its password the files that are hurt are listed by name. Exit status 3 where something is lacking.",
    ],
    operands: [],
    options: [
      data,
      passphraseFile,
      vault,
      { name: "dry-run", kind: "flag", summary: "only say what would be done" },
      ...namesOptions,
    ],
    example: "holdfast gateway repair --dry-run --data /srv/holdfast",
    load: () => import("../commands/gatewayRepair.ts"),
  },
  {
    path: ["gateway", "drill"],
    summary: "restore random files in memory and compare them with their hashes",
    details: [
      "A restore drill: random files of random snapshots of unlocked vaults are read as a restore would read them, and nothing is written. A file that is larger than what may be read is read in part. Reports are kept without names; the seed draws the same files again, as long as the snapshots are the same.",
      "A running gateway does so by itself while a vault is unlocked, once in drill-every-days (config.toml).",
    ],
    operands: [],
    options: [
      data,
      passphraseFile,
      vault,
      { name: "files", kind: "integer", value: "N", summary: "files to draw (20)" },
      {
        name: "bytes",
        kind: "bytes",
        value: "SIZE",
        summary: "read at most this much of each vault (256MiB)",
      },
      { name: "seed", kind: "text", value: "HEX", summary: "draw what a drill before drew" },
      { name: "list", kind: "flag", summary: "show the reports of drills, the newest first" },
      ...namesOptions,
    ],
    example: "holdfast gateway drill --files 50 --data /srv/holdfast",
    load: () => import("../commands/gatewayDrill.ts"),
  },
];
