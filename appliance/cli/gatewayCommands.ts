// The rows of commands that look after a gateway, on its own machine.

import { accountCommands } from "./accountCommands.ts";
import { proxy } from "./agentOptions.ts";
import type { CommandSpec, OptionSpec } from "./command.ts";
import { acceptUnproven, data, escrowKeyFile, passphraseFile, passwordFile } from "./gatewayOptions.ts";
import { replicaPlaceOptions } from "./replicaPlace.ts";
import { upkeepCommands } from "./upkeepCommands.ts";

const driver: OptionSpec = {
  name: "driver",
  kind: "text",
  choices: ["kernel", "fuse-native"],
  summary: "how to mount (kernel unless given)",
};

export const gatewayCommands: readonly CommandSpec[] = [
  {
    path: ["gateway", "init"],
    summary: "create a gateway's data directory",
    details: [
      "Prints the fingerprint that agents pin, and once the gateway's recovery key: it is stored nowhere. Keep it apart from the machine.",
      "The data directory: --data, else HOLDFAST_DATA, else /var/lib/holdfast/gateway for root and $XDG_DATA_HOME/holdfast/gateway for others.",
    ],
    operands: [],
    options: [
      data,
      {
        name: "listen",
        kind: "text",
        value: "HOST:PORT",
        summary: "address of the HTTPS listener (0.0.0.0:7440)",
      },
      {
        name: "name",
        kind: "text",
        value: "NAME",
        summary: "what people call this gateway (the host's name)",
      },
      {
        name: "hostname",
        kind: "texts",
        value: "NAME",
        summary: "further host name or address in the certificate",
      },
      { name: "tls-cert", kind: "text", value: "FILE", summary: "your own certificate chain in PEM" },
      { name: "tls-key", kind: "text", value: "FILE", summary: "its key in PEM" },
      {
        name: "recovery-key-file",
        kind: "text",
        value: "FILE",
        summary: "write the recovery key to this new file (mode 0600) instead of printing it",
      },
    ],
    example: "holdfast gateway init --data /srv/holdfast --listen 0.0.0.0:7440",
    load: () => import("../commands/gatewayInit.ts"),
  },
  {
    path: ["gateway", "run"],
    summary: "run the gateway in the foreground",
    details: [
      "Logs JSON lines to stderr. SIGTERM or Ctrl-C stops it cleanly; SIGHUP reads config.toml again.",
    ],
    operands: [],
    options: [data, passphraseFile],
    example: "holdfast gateway run --data /srv/holdfast",
    load: () => import("../commands/gatewayRun.ts"),
  },
  {
    path: ["gateway", "status"],
    summary: "show what a gateway is and does",
    operands: [],
    options: [data, passphraseFile],
    example: "holdfast gateway status --data /srv/holdfast",
    load: () => import("../commands/gatewayStatus.ts"),
  },
  {
    path: ["gateway", "evict"],
    summary: "remove local packs that a replica has",
    details: [
      "Keeps the content packs that were used or written last, up to --keep, and removes the others from the gateway's disk, each only when a replica has proven within evict-proof-days (config.toml) that it has all of its bytes; else it is proven first: read back and hashed. Folders and names always stay.",
      "What was removed reads as before, from the replica and through a cache on the disk. What cannot go is listed with the reason, with exit status 3. Ctrl-C stops; what is gone by then is safe.",
    ],
    operands: [],
    options: [
      data,
      { name: "keep", kind: "bytes", value: "SIZE", summary: "content packs to keep here" },
      { name: "dry-run", kind: "flag", summary: "only say what would go" },
    ],
    example: "holdfast gateway evict --keep 500GiB --data /srv/holdfast",
    load: () => import("../commands/gatewayEvict.ts"),
  },
  ...upkeepCommands,
  {
    path: ["gateway", "restore-from"],
    summary: "make a whole gateway again from a replica and the gateway's recovery key",
    details: [
      "Brings back accounts, app passwords, devices, settings, the TLS identity, vaults, their index and their snapshots into a new data directory. Agents go on with it as with the old one, if it has the old one's address. Content needs its owner's password as before.",
      "Drives and restores work as soon as the gateway runs: what is not here is read from the replica, and comes in the background, unless --keep-remote is given. Stopped at any point, the same command goes on.",
      "The replica is only read. The new gateway writes there when `replica run NAME --take-over` says so; the old one then stops.",
    ],
    operands: [{ name: "REPLICA_URL", required: true }],
    options: [
      {
        name: "data",
        kind: "text",
        value: "NEWDIR",
        summary: "the new data directory: empty, or a restore that was stopped",
      },
      {
        name: "recovery-key-file",
        kind: "text",
        value: "FILE",
        summary: "file with the gateway's recovery key (HFG-...; else it is asked)",
      },
      { name: "listen", kind: "text", value: "HOST:PORT", summary: "another address than the old gateway's" },
      {
        name: "at",
        kind: "text",
        value: "GENERATION|TIME",
        summary: "an older state of accounts, devices and settings",
      },
      { name: "keep-remote", kind: "flag", summary: "leave content in the replica for good" },
      {
        name: "allow-damaged",
        kind: "flag",
        summary: "go on without what is missing or wrong there, and say what that hurts",
      },
      { name: "dry-run", kind: "flag", summary: "show what would come back; write nothing" },
      ...replicaPlaceOptions,
      ...proxy,
    ],
    example:
      "holdfast gateway restore-from file:///mnt/disk/holdfast --data /srv/holdfast --recovery-key-file key.txt",
    load: () => import("../commands/gatewayRestoreFrom.ts"),
  },
  {
    path: ["gateway", "mount"],
    summary: "mount the snapshots of all unlocked vaults as a read-only drive",
    details: [
      "The running gateway mounts inside its own process, where the keys of unlocked vaults are. Without a running gateway, --foreground opens the data directory itself, asks for the password of --account, and serves the drive until Ctrl-C.",
      "The drive shows /ACCOUNT/DEVICE/ITEM/TIME and `latest`; new snapshots appear by themselves. Unmount with umount.",
    ],
    operands: [{ name: "MOUNTPOINT", required: true }],
    options: [
      data,
      { name: "foreground", kind: "flag", summary: "stay here and unmount at Ctrl-C" },
      { name: "wait", kind: "flag", summary: "wait until a gateway runs; never open the directory itself" },
      {
        name: "account",
        kind: "text",
        value: "NAME",
        summary: "with no running gateway: the account to open",
      },
      passwordFile,
      driver,
      {
        name: "memory-cache",
        kind: "bytes",
        value: "SIZE",
        summary: "with no running gateway: opened content to keep in memory (80MiB)",
      },
      { name: "allow-other", kind: "flag", summary: "let other users in, by the archived owners and modes" },
      { name: "as-user", kind: "text", value: "UID[:GID]", summary: "show everything as owned by this user" },
    ],
    example: "holdfast gateway mount /mnt/holdfast --data /srv/holdfast",
    load: () => import("../commands/gatewayMount.ts"),
  },
  ...accountCommands,
  {
    path: ["device", "list"],
    summary: "list the enrolled devices",
    operands: [],
    options: [data, { name: "account", kind: "text", value: "NAME", summary: "of this account alone" }],
    example: "holdfast device list --account alice --data /srv/holdfast",
    endsWithReader: true,
    load: () => import("../commands/deviceList.ts"),
  },
  {
    path: ["device", "revoke"],
    summary: "end a device's access; its snapshots stay",
    details: [
      "Its token ends at once. Whoever has the device may have copied the vault's keys: --rotate gives the account's vaults new ones as well, as `vault rotate` does, for which the account's password is needed.",
    ],
    operands: [{ name: "[ACCOUNT/]DEVICE", required: true }],
    options: [
      data,
      { name: "rotate", kind: "flag", summary: "rotate the keys of the account's vaults as well" },
      { ...passwordFile, summary: "with --rotate: file whose first line is the account's password" },
      acceptUnproven,
    ],
    example: "holdfast device revoke alice/laptop --data /srv/holdfast",
    load: () => import("../commands/deviceRevoke.ts"),
  },
  {
    path: ["device", "fleet"],
    summary: "put a device into a fleet, whose items it backs up, or take it out",
    details: [
      "`holdfast item add ACCOUNT/@FLEET/ITEM` says what the devices of a fleet back up, and when. A definition of the device's own comes first. docs/schedules.md explains it.",
    ],
    operands: [{ name: "ACCOUNT/DEVICE", required: true }, { name: "FLEET" }],
    options: [data, { name: "none", kind: "flag", summary: "into none" }],
    example: "holdfast device fleet acme/till7 tills --data /srv/holdfast",
    load: () => import("../commands/deviceFleet.ts"),
  },
  {
    path: ["vault", "create"],
    summary: "add a vault to an account",
    operands: [{ name: "ACCOUNT/VAULT", required: true }],
    options: [data, passwordFile],
    example: "holdfast vault create alice/archive --data /srv/holdfast",
    load: () => import("../commands/vaultCreate.ts"),
  },
  {
    path: ["vault", "list"],
    summary: "list the vaults, and which are unlocked",
    operands: [{ name: "ACCOUNT" }],
    options: [data],
    example: "holdfast vault list --data /srv/holdfast",
    endsWithReader: true,
    load: () => import("../commands/vaultList.ts"),
  },
  {
    path: ["vault", "unlock"],
    summary: "hand a vault's keys to the running gateway, so that it can show content",
    details: [
      "The password stays in this command; the gateway holds the keys in memory alone, until --for is over.",
    ],
    operands: [{ name: "ACCOUNT[/VAULT]", required: true }],
    options: [
      data,
      passwordFile,
      escrowKeyFile,
      {
        name: "for",
        kind: "duration",
        value: "8h",
        summary: "lock again after this time (else at the gateway's end)",
      },
    ],
    example: "holdfast vault unlock alice --for 8h --data /srv/holdfast",
    load: () => import("../commands/vaultUnlock.ts"),
  },
  {
    path: ["vault", "lock"],
    summary: "make the running gateway forget a vault's keys",
    operands: [{ name: "ACCOUNT[/VAULT]", required: true }],
    options: [data],
    example: "holdfast vault lock alice --data /srv/holdfast",
    load: () => import("../commands/vaultLock.ts"),
  },
];
