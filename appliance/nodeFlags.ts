// What every process of ours tells Node; bin/holdfast has the same, and says why.

import { extname } from "node:path";
import { fileURLToPath } from "node:url";

export const nodeFlags: readonly string[] = [
  "--no-memory-protection-keys",
  "--no-maglev",
  "--no-concurrent-sparkplug",
  "--wasm-wrapper-tiering-budget=2147483647",
];

const ownFiles = new URL(`./cli/ownFiles${extname(import.meta.url)}`, import.meta.url);

/** Of the program itself, for a faster start. */
export const startFlags: readonly string[] = [...nodeFlags, "--use-openssl-ca"];

/** To run the program that this is part of (ownFiles.ts). */
export const programFlags: readonly string[] = [...startFlags, "--require", fileURLToPath(ownFiles)];

/** What bin/holdfast tells the C library for a command that comes to an end. */
export const commandVariables: Readonly<Record<string, string>> = {
  GLIBC_TUNABLES: "glibc.malloc.hugetlb=1",
};
