// How the golden vectors of trees and packs write values as JSON.

/** A page of a tree: id in hex, bytes in base64. */
export type PageVector = { readonly id: string; readonly plaintext: string; readonly refs: string };

/** The value with bytes as base64 and bigints as decimal text. */
export function toJson(value: unknown): unknown {
  if (value instanceof Uint8Array) return Buffer.from(value).toString("base64");
  if (typeof value === "bigint") return value.toString();
  if (Array.isArray(value)) return value.map(toJson);
  if (value !== null && typeof value === "object") {
    return Object.fromEntries(Object.entries(value).map(([key, field]) => [key, toJson(field)]));
  }
  return value;
}
