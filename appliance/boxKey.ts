// The key of a box, from its passphrase; nothing is asked where a data directory is no box.

import { readBoxDocument } from "../gateway/seed/boxDirectory.ts";
import { openBoxKey } from "../vault/seed/boxDocument.ts";
import type { CommandContext } from "./cli/command.ts";
import { readPassphrase } from "./cli/password.ts";

/** 32 bytes; undefined for an ordinary gateway. @throws HoldfastError key-wrong, usage without a terminal; corrupt, unsupported */
export async function boxKeyOf(context: CommandContext, data: string): Promise<Buffer | undefined> {
  const document = await readBoxDocument(data);
  if (document === undefined) return undefined;
  return await openBoxKey(document, await readPassphrase(context));
}
