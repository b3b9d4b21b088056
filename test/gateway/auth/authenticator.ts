// Stands for somebody's authenticator.

/** The secret in an otpauth:// address (RFC 4648, base32). */
export function secretOf(uri: string): Buffer {
  const text = /secret=([A-Z2-7]+)/.exec(uri)?.[1] ?? "";
  const letters = [..."ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"];
  const bits = [...text].map((letter) => letters.indexOf(letter).toString(2).padStart(5, "0")).join("");
  return Buffer.from((bits.match(/.{8}/g) ?? []).map((byte) => Number.parseInt(byte, 2)));
}
