// The rows of commands about who can open the keys of vaults: rotation and escrow.

import type { CommandSpec } from "./command.ts";
import { acceptUnproven, data, passwordFile } from "./gatewayOptions.ts";

export const keysCommands: readonly CommandSpec[] = [
  {
    path: ["vault", "rotate"],
    summary: "give vaults new keys, which a stolen device or an old password does not open",
    details: [
      "After `device revoke`, or when a password leaked (change it first): what is backed up from now on is sealed with keys that only the password, the recovery key, the devices that are not revoked and escrow keys open. Nothing is encrypted anew, and deduplication goes on; what was sealed before stays readable to whoever has the old keys. Backups that are under way go on with the new keys by themselves.",
      "Without /VAULT all vaults of the account. The password stays in this command. A vault that is unlocked in the running gateway stays so. Who has the recovery key alone sets a password first: `account recover`.",
    ],
    operands: [{ name: "ACCOUNT[/VAULT]", required: true }],
    options: [data, passwordFile, acceptUnproven],
    example: "holdfast vault rotate alice --data /srv/holdfast",
    load: () => import("../commands/vaultRotate.ts"),
  },
  {
    path: ["account", "escrow", "add"],
    summary: "let the holder of an escrow key open an account's backups, and set its password",
    details: [
      "For an organisation that must get at backups when their owner is gone. Off unless an owner adds one: it takes the account's password. Its holder can read all of the account's backups, those of before too. `account list`, the audit log and every device at its next backup say so.",
    ],
    operands: [{ name: "ACCOUNT", required: true }],
    options: [
      data,
      passwordFile,
      {
        name: "public-key",
        kind: "text",
        value: "HFX-...",
        summary: "what `escrow keygen` printed",
      },
      { name: "name", kind: "text", value: "NAME", summary: "what you call its holder" },
    ],
    example: "holdfast account escrow add alice --name legal --public-key HFX-... --data /srv/holdfast",
    load: () => import("../commands/accountEscrowAdd.ts"),
  },
  {
    path: ["account", "escrow", "list"],
    summary: "list the escrow keys that open an account's backups",
    operands: [{ name: "ACCOUNT", required: true }],
    options: [data],
    example: "holdfast account escrow list alice --data /srv/holdfast",
    endsWithReader: true,
    load: () => import("../commands/accountEscrowList.ts"),
  },
  {
    path: ["account", "escrow", "remove"],
    summary: "take an escrow key away: the vaults get new keys without it",
    details: [
      "By its name or its public key. Rotates the keys (`vault rotate`), since its holder may have copied them: it opens nothing that is backed up from now on, and what was sealed before stays readable to such a copy.",
    ],
    operands: [
      { name: "ACCOUNT", required: true },
      { name: "NAME", required: true },
    ],
    options: [
      data,
      passwordFile,
      acceptUnproven,
      { name: "dry-run", kind: "flag", summary: "say which vaults would get new keys, and change nothing" },
    ],
    example: "holdfast account escrow remove alice legal --data /srv/holdfast",
    load: () => import("../commands/accountEscrowRemove.ts"),
  },
  {
    path: ["escrow", "keygen"],
    summary: "make an escrow key, for whom owners of accounts are to trust with their backups",
    details: [
      "Writes the private half to a new file and prints the public half, which owners add with `account escrow add`. Make it on a machine of its holder's, not on the gateway.",
    ],
    operands: [],
    options: [{ name: "out", kind: "text", value: "FILE", summary: "new file for the key (mode 0600)" }],
    example: "holdfast escrow keygen --out escrow.key",
    load: () => import("../commands/escrowKeygen.ts"),
  },
];
