// The passphrase of a new box, as the gateway gets it: never itself, only what opens the box key.

import { randomBytes } from "node:crypto";
import type { PrepareRequest } from "../gateway/admin/seedOperations.ts";
import { deriveLogin, kdfSaltBytes } from "../vault/keys/kdf.ts";
import { limits } from "../vault/limits.ts";
import type { CommandContext } from "./cli/command.ts";
import { readPassphrase } from "./cli/password.ts";

/** Asks for the passphrase, or reads it. @throws HoldfastError usage */
export async function newBoxKey(context: CommandContext): Promise<NonNullable<PrepareRequest["key"]>> {
  const iterations = context.args.integer("kdf-iterations") ?? limits.kdfIterationsDefault;
  const salt = randomBytes(kdfSaltBytes);
  const passphrase = await readPassphrase(context, { isNew: true });
  const { l, r } = await deriveLogin(passphrase, { suite: 1, iterations, salt });
  l.fill(0);
  return {
    kdf: { suite: 1 as const, iterations, salt: salt.toString("base64") },
    r: r.toString("base64"),
  };
}
