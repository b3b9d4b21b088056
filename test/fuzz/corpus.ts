// What a parser made of bytes.

import { HoldfastError } from "../../vault/errors.ts";

export type CorpusRow = {
  /** base64 */
  readonly bytes: string;
  /** "read", or the code of the refusal. */
  readonly outcome: string;
};

/** "read", or the code of the HoldfastError. Throws whatever else was thrown. */
export async function outcomeOf(parse: (bytes: Buffer) => unknown, bytes: Buffer): Promise<string> {
  try {
    await parse(bytes);
    return "read";
  } catch (error) {
    if (error instanceof HoldfastError) return error.code;
    throw error;
  }
}
