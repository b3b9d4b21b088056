// App passwords as people copy them: `hfp-ID-.....-.....-.....-.....-.....-.....`, seven groups of five characters of
// Crockford's base32 (no I, L, O, U). The first group names the password in lists; 26 characters are secret (130 random
// bits); the last four are a check, so that a slip of the finger is known for one.

import { createHash, randomBytes } from "node:crypto";

const prefix = "hfp";
const alphabet = "0123456789abcdefghjkmnpqrstvwxyz";
const idCharacters = 5;
const secretCharacters = 26;
const checkCharacters = 4;
const characters = idCharacters + secretCharacters + checkCharacters;
const groupCharacters = 5;
/** What is longer is none, and costs nothing to find out. */
const textCharactersMax = 200;

/** Crockford's base32, a character per byte: five of its bits. */
function base32(bytes: Uint8Array): string {
  let text = "";
  for (const byte of bytes) text += alphabet[byte % 32];
  return text;
}

function check(body: string): string {
  return base32(
    createHash("sha256").update(`${prefix}-check\0${body}`).digest().subarray(0, checkCharacters),
  );
}

/** A fresh app password. `id`: its first group. */
export function makeAppPassword(): { readonly id: string; readonly text: string } {
  const body = base32(randomBytes(idCharacters + secretCharacters));
  const groups = `${body}${check(body)}`.match(new RegExp(`.{${groupCharacters}}`, "g")) ?? [];
  return { id: body.slice(0, idCharacters), text: [prefix, ...groups].join("-") };
}

/**
 * The characters of an app password without its prefix and dashes, as they are hashed: case, spaces and `-` do not matter, O is 0,
 * I and L are 1. Undefined for what cannot be one.
 */
export function readAppPassword(text: string): string | undefined {
  if (text.length > textCharactersMax) return undefined;
  const plain = text.replace(/[\s-]/g, "").toLowerCase();
  if (!plain.startsWith(prefix)) return undefined;
  const body = plain.slice(prefix.length).replace(/o/g, "0").replace(/[il]/g, "1");
  if (body.length !== characters || [...body].some((character) => !alphabet.includes(character))) {
    return undefined;
  }
  const checked = body.slice(0, -checkCharacters);
  return body.endsWith(check(checked)) ? body : undefined;
}

/** The id that the characters begin with. */
export function idOf(body: string): string {
  return body.slice(0, idCharacters);
}

/**
 * What the catalog keeps of an app password of an account (32 hex digits): 32 bytes. SHA-256 is enough, since nobody tries
 * 2^130 secrets; the account is part of it, so a row that was copied to another account opens nothing there.
 */
export function appPasswordHash(account: string, body: string): Buffer {
  return createHash("sha256").update(`holdfast/app-password/${account}\0${body}`).digest();
}
