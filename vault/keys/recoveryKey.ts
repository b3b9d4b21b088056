// Recovery keys as people write them down (docs/format.md section 4).
import { createHash } from "node:crypto";
import { ErrorCode, HoldfastError } from "../errors.ts";
import { Width } from "../magic.ts";

const prefixes = { account: "HFA", gateway: "HFG" } as const;
/** Whose recovery key: an account's opens vaults, a gateway's opens its settings. */
export type RecoveryKeyKind = keyof typeof prefixes;

const alphabet = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"; // Crockford: no I, L, O, U
const checksumBytes = 3;
const keyCharacters = ((Width.key + checksumBytes) * 8) / 5;
const groupCharacters = 8;

function checksum(key: Uint8Array): Buffer {
  return createHash("sha256").update(key).digest().subarray(0, checksumBytes);
}

/** `HFA-XXXXXXXX-...` (an account's) or `HFG-XXXXXXXX-...` (a gateway's) for a 32-byte private key. */
export function formatRecoveryKey(kind: RecoveryKeyKind, privateKey: Uint8Array): string {
  if (privateKey.length !== Width.key) throw new RangeError("recovery keys have 32 bytes");
  const bytes = Buffer.concat([privateKey, checksum(privateKey)]);
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

const owners: Readonly<Record<RecoveryKeyKind, string>> = { account: "an account's", gateway: "a gateway's" };

function wrong(message: string): HoldfastError {
  return new HoldfastError(ErrorCode.keyWrong, message, {
    next: "Compare the recovery key with what was printed, character by character.",
  });
}

/**
 * The 32-byte private key of a recovery key that a person typed: case, spaces and `-` do not matter, O is 0, I and L are 1.
 * @throws HoldfastError key-wrong that says what is off: kind, length, a character, or a typing error somewhere
 */
export function parseRecoveryKey(kind: RecoveryKeyKind, text: string): Buffer {
  // Bounds the work on absurd input before anything is built from it.
  if (text.length > 1024) throw wrong("the recovery key is far too long");
  const plain = text.replace(/[\s-]/g, "").toUpperCase();
  const prefix = plain.slice(0, 3);
  const otherKind = kind === "account" ? "gateway" : "account";
  if (prefix === prefixes[otherKind]) {
    throw wrong(
      `this is ${owners[otherKind]} recovery key (${prefix}), and ${owners[kind]} (${prefixes[kind]}) is needed`,
    );
  }
  if (prefix !== prefixes[kind]) throw wrong(`the recovery key does not begin with ${prefixes[kind]}`);
  const characters = plain.slice(3).replace(/O/g, "0").replace(/[IL]/g, "1");
  if (characters.length !== keyCharacters) {
    throw wrong(`the recovery key has ${characters.length} characters after ${prefix}, not ${keyCharacters}`);
  }
  const bytes = Buffer.alloc(Width.key + checksumBytes);
  for (let at = 0, i = 0; at < bytes.length; at += 5) {
    let bits = 0;
    for (const end = i + groupCharacters; i < end; i++) {
      const value = alphabet.indexOf(characters[i]!);
      if (value < 0) throw wrong(`character ${i + 1} after ${prefix} is never part of a recovery key`);
      bits = bits * 32 + value;
    }
    bytes.writeUIntBE(bits, at, 5);
  }
  const key = Buffer.from(bytes.subarray(0, Width.key));
  if (!checksum(key).equals(bytes.subarray(Width.key))) throw wrong("the recovery key has a typing error");
  bytes.fill(0);
  return key;
}
