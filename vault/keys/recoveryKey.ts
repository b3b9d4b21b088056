// Recovery and escrow keys as people write them down (docs/format.md section 4).
import { createHash } from "node:crypto";
import { ErrorCode, HoldfastError } from "../errors.ts";
import { Width } from "../magic.ts";

const prefixes = { account: "HFA", gateway: "HFG", escrow: "HFE", escrowPublic: "HFX" } as const;
/**
 * Whose key: an account's recovery key opens its vaults, a gateway's its settings, an escrow key the vaults of accounts that added its public
 * half (`escrowPublic`).
 */
export type RecoveryKeyKind = keyof typeof prefixes;

const alphabet = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"; // Crockford: no I, L, O, U
const checksumBytes = 3;
const keyCharacters = ((Width.key + checksumBytes) * 8) / 5;
const groupCharacters = 8;

function checksum(key: Uint8Array): Buffer {
  return createHash("sha256").update(key).digest().subarray(0, checksumBytes);
}

/** `HFA-XXXXXXXX-...` (an account's recovery key), `HFG-...`, `HFE-...` or `HFX-...` for a key of 32 bytes. */
export function formatRecoveryKey(kind: RecoveryKeyKind, key: Uint8Array): string {
  if (key.length !== Width.key) throw new RangeError("recovery keys have 32 bytes");
  const bytes = Buffer.concat([key, checksum(key)]);
  let text: string = prefixes[kind];
  // 5 bytes are 8 characters: one group.
  for (let at = 0; at < bytes.length; at += 5) {
    let bits = bytes.readUIntBE(at, 5);
    let group = "";
    for (let i = 0; i < groupCharacters; i++) {
      group = alphabet[bits % 32]! + group;
      bits = Math.floor(bits / 32);
    }
    text += `-${group}`;
  }
  return text;
}

const names: Readonly<Record<RecoveryKeyKind, string>> = {
  account: "an account's recovery key",
  gateway: "a gateway's recovery key",
  escrow: "an escrow key",
  escrowPublic: "an escrow's public key",
};

function wrong(message: string): HoldfastError {
  return new HoldfastError(ErrorCode.keyWrong, message, {
    next: "Compare the key with what was printed, character by character.",
  });
}

/**
 * The 32 bytes of a key that a person typed: case, spaces and `-` do not matter, O is 0, I and L are 1.
 * @throws HoldfastError key-wrong that says what is off: kind, length, a character, or a typing error somewhere
 */
export function parseRecoveryKey(kind: RecoveryKeyKind, text: string): Buffer {
  // Bounds the work on absurd input before anything is built from it.
  if (text.length > 1024) throw wrong("the key is far too long");
  const plain = text.replace(/[\s-]/g, "").toUpperCase();
  const prefix = plain.slice(0, 3);
  const others = (Object.keys(prefixes) as RecoveryKeyKind[]).filter((each) => each !== kind);
  const other = others.find((each) => prefixes[each] === prefix);
  if (other !== undefined) {
    throw wrong(`this is ${names[other]} (${prefix}), and ${names[kind]} (${prefixes[kind]}) is needed`);
  }
  if (prefix !== prefixes[kind]) throw wrong(`the key does not begin with ${prefixes[kind]}`);
  const characters = plain.slice(3).replace(/O/g, "0").replace(/[IL]/g, "1");
  if (characters.length !== keyCharacters) {
    throw wrong(`the key has ${characters.length} characters after ${prefix}, not ${keyCharacters}`);
  }
  const bytes = Buffer.alloc(Width.key + checksumBytes);
  for (let at = 0, i = 0; at < bytes.length; at += 5) {
    let bits = 0;
    for (const end = i + groupCharacters; i < end; i++) {
      const value = alphabet.indexOf(characters[i]!);
      if (value < 0) throw wrong(`character ${i + 1} after ${prefix} is never part of a key`);
      bits = bits * 32 + value;
    }
    bytes.writeUIntBE(bits, at, 5);
  }
  const key = Buffer.from(bytes.subarray(0, Width.key));
  if (!checksum(key).equals(bytes.subarray(Width.key))) throw wrong("the key has a typing error");
  bytes.fill(0);
  return key;
}
