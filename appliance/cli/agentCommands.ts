// The rows of commands for the protected machine.

import { agentAddressCommand } from "./agentAddressCommand.ts";
import { agentBackupCommand } from "./agentBackupCommand.ts";
import { item, line, state } from "./agentOptions.ts";
import { agentRunCommand } from "./agentRunCommand.ts";
import type { CommandSpec, OptionSpec } from "./command.ts";
import { totp } from "./gatewayOptions.ts";
import { programLimits } from "./programOptions.ts";

const device: OptionSpec = {
  name: "device",
  kind: "text",
  value: "NAME",
  summary: "read another device of the account",
};
/** Of commands that only read. */
const elsewhere: readonly OptionSpec[] = [
  {
    name: "gateway",
    kind: "text",
    value: "https://HOST:PORT",
    summary: "read from this gateway, a box say, and not from the home",
  },
  { name: "fingerprint", kind: "text", value: "SHA256:HEX", summary: "its fingerprint" },
];
const snapshotPath = "SNAPSHOT[:PATH]";
const snapshotHelp =
  "SNAPSHOT is an id, the unique beginning of one, or `latest`: the newest complete one of --item, else of this device.";

export const agentCommands: readonly CommandSpec[] = [
  {
    path: ["agent", "enroll"],
    summary: "enroll this machine at a gateway",
    details: [
      "The gateway's public key is pinned. Give its --fingerprint as `gateway init` printed it; without one a certificate that a known authority vouches for is accepted, else the terminal asks, else it is refused.",
      "The state directory holds this machine's key: --state, else HOLDFAST_STATE, else /var/lib/holdfast/agent for root and $XDG_CONFIG_HOME/holdfast/agent for others. Its cache/ may be deleted at any time.",
    ],
    operands: [{ name: "URL" }],
    options: [
      {
        name: "invite",
        kind: "text",
        value: "FILE",
        summary: "by a file of `account invite`, without URL and password; it is good once",
      },
      { name: "account", kind: "text", value: "NAME", summary: "the account that this machine backs up to" },
      {
        name: "password-file",
        kind: "text",
        value: "FILE",
        summary: "file whose first line is the password (else HOLDFAST_PASSWORD, else it is asked)",
      },
      totp,
      { name: "fingerprint", kind: "text", value: "SHA256:HEX", summary: "the gateway's fingerprint" },
      { name: "device", kind: "text", value: "NAME", summary: "what to call this machine (its host name)" },
      { name: "isolated", kind: "flag", summary: "share no chunks with the account's other devices" },
      {
        name: "append-only",
        kind: "flag",
        summary: "let this machine add backups and read nothing, not even its own; shares no chunks either",
      },
      {
        name: "take-over",
        kind: "text",
        value: "DEVICE",
        summary:
          "go on as this device of the account, whose machine is gone: its access ends, its history goes on",
      },
      {
        name: "replace",
        kind: "flag",
        summary: "enroll again where this state directory is enrolled already",
      },
      ...line,
      state,
    ],
    example: "holdfast agent enroll https://backup.example:7440 --account alice",
    load: () => import("../commands/agentEnroll.ts"),
  },
  agentAddressCommand,
  agentBackupCommand,
  agentRunCommand,
  {
    path: ["agent", "snapshots"],
    summary: "list snapshots, newest first",
    operands: [],
    options: [
      { ...item, summary: "of this item alone" },
      { ...device, summary: "of this device alone" },
      ...elsewhere,
      ...line,
      state,
    ],
    example: "holdfast agent snapshots",
    endsWithReader: true,
    load: () => import("../commands/agentSnapshots.ts"),
  },
  {
    path: ["agent", "ls"],
    summary: "list a folder of a snapshot",
    details: [snapshotHelp],
    operands: [{ name: snapshotPath, required: true }],
    options: [
      { name: "recursive", kind: "flag", summary: "also everything below" },
      item,
      device,
      ...elsewhere,
      ...line,
      state,
    ],
    example: "holdfast agent ls latest:/etc",
    endsWithReader: true,
    load: () => import("../commands/agentLs.ts"),
  },
  {
    path: ["agent", "cat"],
    summary: "print files of a snapshot",
    details: [snapshotHelp],
    operands: [{ name: "SNAPSHOT:PATH", required: true, many: true }],
    options: [item, device, ...elsewhere, ...line, state],
    example: "holdfast agent cat latest:/etc/hosts",
    endsWithReader: true,
    load: () => import("../commands/agentCat.ts"),
  },
  {
    path: ["agent", "history"],
    summary: "list the versions of a file or folder over all snapshots, newest first",
    details: [
      "A version is a run of snapshots in which the content is the same: the bytes of a file, the target of a link, everything below a folder. It is named by its first snapshot. Nothing is read but directories. Without --item, all items of the device are looked through.",
    ],
    operands: [{ name: "PATH", required: true }],
    options: [item, device, ...elsewhere, ...line, state],
    example: "holdfast agent history /etc/hosts",
    endsWithReader: true,
    load: () => import("../commands/agentHistory.ts"),
  },
  {
    path: ["agent", "dump"],
    summary: "write a folder or file of a snapshot to stdout as a tar or ZIP archive",
    details: [
      "What is named is in the archive under its own name; of a whole snapshot, its folders are. The tar keeps all that a restore would: tar x --xattrs --xattrs-include='*' --acls -p. The ZIP has no place for owners by name, attributes, hard links, devices and FIFOs. What cannot be read ends the archive with an error: it is then not whole.",
      snapshotHelp,
    ],
    operands: [{ name: snapshotPath, required: true }],
    options: [
      { name: "format", kind: "text", choices: ["tar", "zip"], summary: "of the archive (tar unless given)" },
      item,
      device,
      ...elsewhere,
      ...line,
      state,
    ],
    example: "holdfast agent dump latest:/etc | tar -x -C /tmp/restored",
    endsWithReader: true,
    load: () => import("../commands/agentDump.ts"),
  },
  {
    path: ["agent", "find"],
    summary: "find files in snapshots by name",
    details: [
      "PATTERN is a glob for the name of what is sought. Without SNAPSHOT, the latest is searched.",
      snapshotHelp,
    ],
    operands: [{ name: "SNAPSHOT" }, { name: "PATTERN", required: true, many: true }],
    options: [
      {
        name: "all",
        kind: "flag",
        summary: "search every snapshot of this device, or of --item and --device",
      },
      item,
      device,
      ...elsewhere,
      ...line,
      state,
    ],
    example: "holdfast agent find latest '*.conf'",
    endsWithReader: true,
    load: () => import("../commands/agentFind.ts"),
  },
  {
    path: ["agent", "diff"],
    summary: "show what changed between two snapshots",
    details: [snapshotHelp],
    operands: [
      { name: "SNAPSHOT[:PATH]", required: true },
      { name: "SNAPSHOT[:PATH]", required: true },
    ],
    options: [item, device, ...elsewhere, ...line, state],
    example: "holdfast agent diff 3f2a latest",
    endsWithReader: true,
    load: () => import("../commands/agentDiff.ts"),
  },
  {
    path: ["agent", "check"],
    summary: "prove that snapshots can be restored, with the keys of this machine",
    details: [
      "Reads and proves all directories and asks for every chunk; --read-data also reads and proves content. Without SNAPSHOT, every snapshot of this device is checked. A check with --read-data that was stopped goes on, within a day and with the same share, with the content that it had not proven yet.",
      snapshotHelp,
    ],
    operands: [{ name: "SNAPSHOT" }],
    options: [
      { name: "read-data", kind: "text", value: "5%|SIZE", summary: "read a random share of the content" },
      item,
      device,
      ...elsewhere,
      ...line,
      state,
    ],
    example: "holdfast agent check latest --read-data 5%",
    load: () => import("../commands/agentCheck.ts"),
  },
  {
    path: ["agent", "restore"],
    summary: "restore a snapshot or a part of it",
    details: [
      "`restore S --target D` gives D/etc/hosts; `restore S:/etc --target D` gives D/hosts. What is already right at the target is not fetched.",
      "With --into-program, a file is given to a command as its input: holdfast agent restore latest:/shop.sql --item db --into-program 'psql shop'. The command sees the end of its input only when all of it was proven (docs/programs.md).",
      snapshotHelp,
    ],
    operands: [{ name: snapshotPath, required: true }],
    options: [
      { name: "target", kind: "text", value: "DIR", summary: "where to restore to" },
      {
        name: "overwrite",
        kind: "text",
        choices: ["never", "newer", "always"],
        summary: "what to do with files that are there (always)",
      },
      { name: "dry-run", kind: "flag", summary: "tell what would be done" },
      {
        name: "need-out",
        kind: "text",
        value: "FILE",
        summary: "with --dry-run: list the content that would be fetched, for `seed stage-restore --need`",
      },
      {
        name: "delete",
        kind: "flag",
        summary:
          "remove what is at the target and not in the snapshot, what filters left out too (docs/operations.md says what stays)",
      },
      {
        name: "into-program",
        kind: "text",
        value: "CMD",
        summary: "give the file to this command line instead",
      },
      ...programLimits("none unless given"),
      item,
      device,
      ...elsewhere,
      ...line,
      state,
    ],
    example: "holdfast agent restore latest:/home/alice --target /tmp/restored",
    staysRoot: true,
    load: () => import("../commands/agentRestore.ts"),
  },
  {
    path: ["agent", "mount"],
    summary: "mount the account's snapshots as a read-only drive on this machine",
    details: [
      "Keys stay here; the gateway stays locked. The drive shows /ACCOUNT/DEVICE/ITEM/TIME and `latest`; new snapshots appear by themselves. Without --foreground the drive is served in the background until umount.",
      "What was fetched stays on this machine's disk for the next time, still encrypted, in cache/drive of the state directory, up to --cache-size.",
    ],
    operands: [{ name: "MOUNTPOINT", required: true }],
    options: [
      { name: "foreground", kind: "flag", summary: "stay here and unmount at Ctrl-C" },
      {
        name: "driver",
        kind: "text",
        choices: ["kernel", "fuse-native"],
        summary: "how to mount (kernel unless given)",
      },
      {
        name: "cache-size",
        kind: "bytes",
        value: "SIZE",
        summary: "fetched records to keep on disk, encrypted (1GiB; 0 for none)",
      },
      { name: "cache-dir", kind: "text", value: "DIR", summary: "where to keep them" },
      {
        name: "memory-cache",
        kind: "bytes",
        value: "SIZE",
        summary: "opened content to keep in memory (80MiB)",
      },
      { name: "allow-other", kind: "flag", summary: "let other users in, by the archived owners and modes" },
      { name: "as-user", kind: "text", value: "UID[:GID]", summary: "show everything as owned by this user" },
      ...elsewhere,
      ...line,
      state,
    ],
    example: "holdfast agent mount /mnt/holdfast",
    staysRoot: true,
    load: () => import("../commands/agentMount.ts"),
  },
];
