// The rows of commands that look after accounts, on the gateway's own machine.

import type { CommandSpec, OptionSpec } from "./command.ts";
import { data, escrowKeyFile, passwordFile, totp } from "./gatewayOptions.ts";

const kdfIterations: OptionSpec = {
  name: "kdf-iterations",
  kind: "integer",
  value: "N",
  summary: "rounds of key derivation",
  hidden: true,
};

export const accountCommands: readonly CommandSpec[] = [
  {
    path: ["account", "add"],
    summary: 'add an account, with its vault "main"',
    details: [
      "Prints once the account's recovery key: it opens the account's backups when the password is lost, and is stored nowhere.",
    ],
    operands: [{ name: "NAME", required: true }],
    options: [
      data,
      passwordFile,
      {
        name: "recovery-key-file",
        kind: "text",
        value: "FILE",
        summary: "write the recovery key to this new file (mode 0600) instead of printing it",
      },
      kdfIterations,
    ],
    example: "holdfast account add alice --data /srv/holdfast",
    load: () => import("../commands/accountAdd.ts"),
  },
  {
    path: ["account", "list"],
    summary: "list the accounts",
    operands: [],
    options: [data],
    example: "holdfast account list --data /srv/holdfast",
    endsWithReader: true,
    load: () => import("../commands/accountList.ts"),
  },
  {
    path: ["account", "password"],
    summary: "change an account's password",
    details: [
      "Enrolled devices go on working. Backups are not encrypted anew: only the wraps of their keys change.",
    ],
    operands: [{ name: "NAME", required: true }],
    options: [
      data,
      totp,
      { ...passwordFile, summary: "file whose first line is the present password" },
      {
        name: "new-password-file",
        kind: "text",
        value: "FILE",
        summary: "file whose first line is the new password",
      },
      kdfIterations,
    ],
    example: "holdfast account password alice --data /srv/holdfast",
    load: () => import("../commands/accountPassword.ts"),
  },
  {
    path: ["account", "recover"],
    summary: "set a new password with the account's recovery key",
    operands: [{ name: "NAME", required: true }],
    options: [
      data,
      totp,
      {
        name: "recovery-key-file",
        kind: "text",
        value: "FILE",
        summary: "file with the account's recovery key",
      },
      escrowKeyFile,
      { ...passwordFile, summary: "file whose first line is the new password (else it is asked)" },
      kdfIterations,
    ],
    example: "holdfast account recover alice --recovery-key-file key.txt --data /srv/holdfast",
    load: () => import("../commands/accountRecover.ts"),
  },
  {
    path: ["account", "app-password"],
    summary: "make, list or revoke app passwords, with which clients of WebDAV read an account's snapshots",
    details: [
      "ACCOUNT alone makes one and prints it, once; the account's own password is not asked for and never goes to a WebDAV client. `list ACCOUNT` shows what there is, `revoke ACCOUNT ID` ends one by its id (its first group) or its label, at once.",
      "What it opens is what WebDAV shows while the vault is unlocked: reading, of this account alone, and of --read's folder alone where that is given.",
    ],
    operands: [{ name: "list | revoke" }, { name: "ACCOUNT", required: true }, { name: "ID" }],
    options: [
      data,
      {
        name: "label",
        kind: "text",
        value: "TEXT",
        summary: "what you call it: the client or person it is for",
      },
      {
        name: "read",
        kind: "text",
        value: "PATH",
        summary:
          "let it read this folder alone: /DEVICE, /DEVICE/ITEM, or inside snapshots /DEVICE/ITEM/latest/home/ann",
      },
      {
        name: "as-user",
        kind: "text",
        value: "UID[:GID[,GID...]]",
        summary: "hold it to the archived permissions, as they are for this user",
      },
      {
        name: "expires",
        kind: "duration",
        value: "TIME",
        summary: "how long it is good, like 30d (no end unless given)",
      },
    ],
    example: "holdfast account app-password alice --label phone --read /laptop/files --data /srv/holdfast",
    load: () => import("../commands/accountAppPassword.ts"),
  },
  {
    path: ["account", "invite"],
    summary: "make, list or revoke invites: files that enrol one machine each, once, without the password",
    details: [
      "ACCOUNT alone makes them and prints their files' names. The password is asked for here and goes nowhere. `list [ACCOUNT]` shows what became of each, `revoke ACCOUNT ID` ends one that was not used, `--all` all of them. A rotation of keys ends those that are open.",
    ],
    operands: [{ name: "list | revoke" }, { name: "ACCOUNT", required: true }, { name: "ID" }],
    options: [
      data,
      passwordFile,
      { name: "count", kind: "integer", value: "N", summary: "so many, a file each (1 unless given)" },
      {
        name: "expires",
        kind: "duration",
        value: "TIME",
        summary: "how long they are good (7d unless given)",
      },
      {
        name: "out",
        kind: "text",
        value: "DIR",
        summary: "folder for the files, which only their owner may read (the present one)",
      },
      {
        name: "url",
        kind: "text",
        value: "https://HOST:PORT",
        summary:
          "where machines reach this gateway (else public-url of config.toml, else what it listens on)",
      },
      {
        name: "device",
        kind: "text",
        value: "NAME",
        summary: "what the machine will be called (else what it says itself)",
      },
      {
        name: "take-over",
        kind: "text",
        value: "DEVICE",
        summary: "its machine goes on as this device, whose machine is gone",
      },
      { name: "fleet", kind: "text", value: "NAME", summary: "its machine follows the items of this fleet" },
      { name: "isolated", kind: "flag", summary: "its machine shares no chunks with other devices" },
      { name: "append-only", kind: "flag", summary: "its machine may add backups and read nothing" },
      { name: "all", kind: "flag", summary: "with revoke: all that were not used" },
    ],
    example: "holdfast account invite alice --count 50 --out invites --data /srv/holdfast",
    load: () => import("../commands/accountInvite.ts"),
  },
  {
    path: ["account", "quota"],
    summary: "show or set how much an account may store, and how many devices it may have",
    details: [
      "What its vaults hold counts, after deduplication and with what is in replicas alone; not what boxes bring. Over the quota, uploads and enrolments are refused; what is there stays, and can be read. Without options it shows what is used.",
    ],
    operands: [{ name: "NAME", required: true }],
    options: [
      data,
      { name: "bytes", kind: "bytes", value: "SIZE", summary: "so much at most" },
      { name: "devices", kind: "integer", value: "N", summary: "so many at most that are not revoked" },
      { name: "none", kind: "flag", summary: "take all limits away" },
    ],
    example: "holdfast account quota alice --bytes 2TiB --devices 5 --data /srv/holdfast",
    load: () => import("../commands/accountQuota.ts"),
  },
  {
    path: ["account", "totp", "enable"],
    summary: "ask for a code of an authenticator besides the account's password",
    details: [
      "At every login: when a device is enrolled, and when the password is changed or recovered. Prints once the address for the authenticator and ten recovery codes; it counts when a first code was right.",
    ],
    operands: [{ name: "NAME", required: true }],
    options: [data],
    example: "holdfast account totp enable alice --data /srv/holdfast",
    load: () => import("../commands/accountTotpEnable.ts"),
  },
  {
    path: ["account", "totp", "confirm"],
    summary: "give the first code: the account asks for codes from then on",
    operands: [{ name: "NAME", required: true }],
    options: [data, totp],
    example: "holdfast account totp confirm alice --totp 123456 --data /srv/holdfast",
    load: () => import("../commands/accountTotpConfirm.ts"),
  },
  {
    path: ["account", "totp", "status"],
    summary: "say whether an account asks for codes, and how many recovery codes are left",
    operands: [{ name: "NAME", required: true }],
    options: [data],
    example: "holdfast account totp status alice --data /srv/holdfast",
    load: () => import("../commands/accountTotpStatus.ts"),
  },
  {
    path: ["account", "totp", "disable"],
    summary: "ask for no codes any more",
    operands: [{ name: "NAME", required: true }],
    options: [data],
    example: "holdfast account totp disable alice --data /srv/holdfast",
    load: () => import("../commands/accountTotpDisable.ts"),
  },
  {
    path: ["account", "access"],
    summary: "say from which addresses an account may be used",
    details: [
      "For its logins, devices and app passwords. What is given replaces what was said before; without options it says what there is. The gateway's own lists, in config.toml, count besides.",
    ],
    operands: [{ name: "NAME", required: true }],
    options: [
      data,
      {
        name: "allow",
        kind: "texts",
        value: "ADDRESS",
        summary: "only this address or network (may repeat)",
      },
      { name: "deny", kind: "texts", value: "ADDRESS", summary: "not this address or network (may repeat)" },
      { name: "clear", kind: "flag", summary: "from everywhere again" },
    ],
    example: "holdfast account access alice --allow 192.0.2.0/24 --data /srv/holdfast",
    load: () => import("../commands/accountAccess.ts"),
  },
  {
    path: ["account", "remove"],
    summary: "remove an account with all its backups, for good, and sign what was erased",
    details: [
      "Keys are erased first, then the account's rows, then its data. The gateway must not run. Replicas keep what they have: the statement names them. A removal that was stopped goes on with the same command, or with the gateway's next start.",
    ],
    operands: [{ name: "NAME", required: true }],
    options: [
      data,
      { name: "yes", kind: "flag", summary: "do not ask" },
      { name: "dry-run", kind: "flag", summary: "say what would go, and remove nothing" },
    ],
    example: "holdfast account remove alice --dry-run --data /srv/holdfast",
    load: () => import("../commands/accountRemove.ts"),
  },
  {
    path: ["account", "removals"],
    summary: "list the signed statements of accounts that were removed",
    operands: [],
    options: [data],
    example: "holdfast account removals --data /srv/holdfast",
    endsWithReader: true,
    load: () => import("../commands/accountRemovals.ts"),
  },
  {
    path: ["account", "disable"],
    summary: "refuse an account's logins and devices; its backups stay",
    operands: [{ name: "NAME", required: true }],
    options: [data],
    example: "holdfast account disable alice --data /srv/holdfast",
    load: () => import("../commands/accountDisable.ts"),
  },
  {
    path: ["account", "enable"],
    summary: "let a disabled account in again",
    operands: [{ name: "NAME", required: true }],
    options: [data],
    example: "holdfast account enable alice --data /srv/holdfast",
    load: () => import("../commands/accountEnable.ts"),
  },
];
