// Time-based one-time passwords: RFC 6238 over HOTP, RFC 4226, with SHA-1, six digits and steps of 30 seconds, which every authenticator has.

import { createHash, createHmac, randomBytes, timingSafeEqual } from "node:crypto";

export const totpSecretBytes = 20;
const stepSeconds = 30;
const digits = 6;
/** Steps before and after now's that count too. */
const skewSteps = 1;

/** The step that a time is in. */
export function stepAt(timeMs: number): number {
  return Math.floor(timeMs / 1000 / stepSeconds);
}

/** The code of a step (RFC 4226, section 5.3). `size`: of its digits. */
export function codeOf(secret: Uint8Array, step: number, size = digits): string {
  const counter = Buffer.alloc(8);
  counter.writeBigUInt64BE(BigInt(step));
  const mac = createHmac("sha1", secret).update(counter).digest();
  const offset = (mac[mac.length - 1] as number) & 0xf;
  const number = (mac.readUInt32BE(offset) & 0x7fff_ffff) % 10 ** size;
  return String(number).padStart(size, "0");
}

/** The step that a code is of, among those that count at `timeMs`; undefined for a wrong one. All are looked at, whichever fits. */
export function stepOfCode(secret: Uint8Array, code: string, timeMs: number): number | undefined {
  const given = Buffer.from(code.replace(/\s/g, "").padEnd(digits, "x").slice(0, 64));
  let found: number | undefined;
  const now = stepAt(timeMs);
  for (let step = Math.max(0, now - skewSteps); step <= now + skewSteps; step++) {
    const right = Buffer.from(codeOf(secret, step));
    if (given.length === right.length && timingSafeEqual(given, right)) found = step;
  }
  return found;
}

const base32Alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

/** RFC 4648, without padding. */
function base32(bytes: Uint8Array): string {
  let text = "";
  let bits = 0;
  let held = 0;
  for (const byte of bytes) {
    held = (held << 8) | byte;
    bits += 8;
    while (bits >= 5) {
      bits -= 5;
      text += base32Alphabet[(held >> bits) & 31];
    }
    held &= (1 << bits) - 1;
  }
  return bits === 0 ? text : text + base32Alphabet[(held << (5 - bits)) & 31];
}

/** What an authenticator takes in, as a QR code or by hand. */
export function otpauthUri(secret: Uint8Array, gateway: string, account: string): string {
  const label = `${encodeURIComponent(gateway)}:${encodeURIComponent(account)}`;
  return `otpauth://totp/${label}?secret=${base32(secret)}&issuer=${encodeURIComponent(gateway)}&algorithm=SHA1&digits=${digits}&period=${stepSeconds}`;
}

const recoveryCodeBytes = 10;

/** A recovery code: sixteen characters in groups of four. */
export function makeRecoveryCode(): string {
  return (base32(randomBytes(recoveryCodeBytes)).match(/.{4}/g) ?? []).join("-");
}

/** What is kept of a recovery code (hex); undefined for what cannot be one. Case, spaces and dashes do not matter. */
export function recoveryCodeHash(text: string): string | undefined {
  const plain = text.replace(/[\s-]/g, "").toUpperCase();
  if (!/^[A-Z2-7]{16}$/.test(plain)) return undefined;
  return createHash("sha256").update(`holdfast/totp-recovery\0${plain}`).digest("hex");
}
