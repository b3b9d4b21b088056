// Reading the golden vectors of test/vectors.
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

const folder = join(import.meta.dirname, "..", "vectors");

// biome-ignore lint/suspicious/noExplicitAny: the vectors are what they are; every field is compared
export function vector(name: string): any {
  return JSON.parse(readFileSync(join(folder, `${name}.json`), "utf8"));
}

export function bytes(text: string): Uint8Array {
  return Uint8Array.from(Buffer.from(text, "hex"));
}

export function base64(text: string): Uint8Array {
  return Uint8Array.from(Buffer.from(text, "base64"));
}

export function split(joined: Uint8Array): Uint8Array[] {
  return Array.from({ length: joined.length / 32 }, (_, i) => joined.slice(32 * i, 32 * i + 32));
}

/** Names of all vectors there are. */
export function vectorNames(): string[] {
  return readdirSync(folder)
    .filter((name) => name.endsWith(".json"))
    .map((name) => name.slice(0, -5))
    .sort();
}
