// A new key epoch (docs/format.md section 4): new E and A, the same S, every wrap made anew.
//
// Invariant: what is returned was opened with the password, and has every secret that there was: a document that counts once it is written,
// and cannot be opened, would be the end of the vault.
import { randomBytes } from "node:crypto";
import { ErrorCode, HoldfastError } from "../errors.ts";
import { limits } from "../limits.ts";
import { Width } from "../magic.ts";
import { openWithPassword, parseKeysDocument } from "./keysDocument.ts";
import type { KeysDocument, KeysWrap } from "./keysTypes.ts";
import { type OpenedKeys, sealRing, wrappingKeyBytes } from "./ring.ts";
import { VaultKeys } from "./vaultKeys.ts";
import { isProven, rewrap } from "./wraps.ts";

/**
 * The next generation of a keys document, in the next epoch.
 * @param r R of the account's password (24 bytes), which opens `document`
 * @param keeps who gets the new keys; the password and the recovery key always do. `proven`: somebody who had E made the wrap (format.md): who
 * did not may be anybody, and should not get the new one
 * @throws HoldfastError key-wrong; limit-exceeded when the ring is full; seal-invalid or corrupt for a damaged document; what `keeps` throws
 */
export function rotateKeys(
  document: KeysDocument,
  r: Uint8Array,
  keeps: (wrap: KeysWrap, proven: boolean) => boolean,
): OpenedKeys & { readonly document: KeysDocument } {
  const { secrets: before, e: former } = openWithPassword(document, r);
  const epoch = document.epoch + 1;
  if (before.epochs.size >= limits.epochsMax || epoch > 0xffff_ffff) {
    throw new HoldfastError(
      ErrorCode.limitExceeded,
      `the vault's ring has ${before.epochs.size} key epochs, and may have no more`,
      { next: "Make a new vault: `holdfast vault create ACCOUNT/VAULT`." },
    );
  }
  const e = randomBytes(wrappingKeyBytes);
  const epochs = new Map<number, Uint8Array>([...before.epochs, [epoch, randomBytes(Width.key)]]);
  const secrets = { ...before, epochs, currentEpoch: epoch };
  const { account, vault } = document;
  const place = { account, vault, epoch };
  const stays = (wrap: KeysWrap): boolean =>
    keeps(wrap, isProven(document, former, wrap)) || wrap.kind === "password" || wrap.kind === "recovery";
  const rotated = parseKeysDocument({
    ...document,
    generation: document.generation + 1,
    epoch,
    ring: sealRing(vault, e, secrets),
    wraps: document.wraps.filter(stays).map((wrap) => rewrap(wrap, place, e, r)),
  });
  prove(rotated, r, secrets);
  return { document: rotated, secrets, e };
}

function prove(rotated: KeysDocument, r: Uint8Array, secrets: OpenedKeys["secrets"]): void {
  const made = new VaultKeys(secrets);
  const opened = new VaultKeys(openWithPassword(rotated, r).secrets);
  const same = made.extendWith(opened) && opened.extendWith(made);
  made.wipe();
  opened.wipe();
  if (!same) throw new Error("a rotated keys document opens to other secrets");
}
