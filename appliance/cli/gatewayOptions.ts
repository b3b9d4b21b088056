// Options that several commands of a gateway take.

import type { OptionSpec } from "./command.ts";

export const data: OptionSpec = {
  name: "data",
  kind: "text",
  value: "DIR",
  summary: "the gateway's data directory (else HOLDFAST_DATA, else the usual place)",
};
export const passphraseFile: OptionSpec = {
  name: "passphrase-file",
  kind: "text",
  value: "FILE",
  summary: "of a box: file whose first line is its passphrase (else HOLDFAST_PASSPHRASE, else it is asked)",
};
export const totp: OptionSpec = {
  name: "totp",
  kind: "text",
  value: "CODE",
  summary:
    "code of the account's authenticator, or a recovery code, where it asks for one (else it is asked)",
};
export const acceptUnproven: OptionSpec = {
  name: "accept-unproven",
  kind: "flag",
  summary:
    "give the new keys also to devices and keys of which nothing proves that somebody who had the old ones let them in",
};
export const escrowKeyFile: OptionSpec = {
  name: "escrow-key-file",
  kind: "text",
  value: "FILE",
  summary: "file with an escrow key that the account's owner added, in place of the account's own",
};
export const passwordFile: OptionSpec = {
  name: "password-file",
  kind: "text",
  value: "FILE",
  summary: "file whose first line is the password (else HOLDFAST_PASSWORD, else it is asked)",
};
