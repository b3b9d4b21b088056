// A vault with fixed secrets, and the calls that tests of its objects share.
import { createHash } from "node:crypto";
import fc from "fast-check";
import { expect } from "vitest";
import { type ErrorCode, HoldfastError } from "../../vault/errors.ts";
import { VaultKeys, type VaultSecrets } from "../../vault/keys/vaultKeys.ts";

/** `length` bytes that look random and are always the same for a label. */
export function bytesOf(label: string, length: number): Buffer {
  const blocks: Buffer[] = [];
  for (let i = 0; i * 32 < length; i++) blocks.push(createHash("sha256").update(`${label} ${i}`).digest());
  return Buffer.concat(blocks).subarray(0, length);
}

export const sampleSecrets: VaultSecrets = {
  vaultId: bytesOf("vault id", 16),
  s: bytesOf("s", 32),
  epochs: new Map([
    [1, bytesOf("a1", 32)],
    [2, bytesOf("a2", 32)],
  ]),
  currentEpoch: 2,
};

export function sampleKeys(): VaultKeys {
  return new VaultKeys(sampleSecrets);
}

/** Codes that parsers and openers of outside bytes may throw. */
const refusals: readonly ErrorCode[] = [
  "truncated",
  "corrupt",
  "unsupported",
  "limit-exceeded",
  "seal-invalid",
  "id-mismatch",
  "key-wrong",
  "kdf-weak",
];

/** Runs a parser on hostile input: it may succeed or refuse in a typed way, and nothing else. Returns the code of the refusal. */
export function outcome(parse: () => unknown): ErrorCode | "ok" {
  try {
    parse();
    return "ok";
  } catch (error) {
    if (!(error instanceof HoldfastError)) throw error;
    expect(refusals).toContain(error.code);
    return error.code;
  }
}

/** As `outcome`, of work that is awaited. */
export function outcomeAsync(work: Promise<unknown>): Promise<ErrorCode | "ok"> {
  return work.then(
    () => "ok" as const,
    (error: unknown) =>
      outcome(() => {
        throw error;
      }),
  );
}

/** `bytes` with one to three changes: a byte altered, a run cut out, doubled or appended. */
export function mutated(bytes: Uint8Array): fc.Arbitrary<Buffer> {
  const change = fc.record({
    kind: fc.constantFrom("alter", "cut", "double", "append", "end"),
    at: fc.nat({ max: Math.max(bytes.length - 1, 0) }),
    length: fc.integer({ min: 1, max: 40 }),
    value: fc.integer({ min: 0, max: 255 }),
  });
  return fc.array(change, { minLength: 1, maxLength: 3 }).map((changes) => {
    let result = Buffer.from(bytes);
    for (const { kind, at, length, value } of changes) {
      const run = result.subarray(at, at + length);
      if (kind === "alter" && at < result.length) result[at] = value;
      if (kind === "cut") result = Buffer.concat([result.subarray(0, at), result.subarray(at + length)]);
      if (kind === "double") result = Buffer.concat([result.subarray(0, at), run, result.subarray(at)]);
      if (kind === "append") result = Buffer.concat([result, Buffer.alloc(length, value)]);
      if (kind === "end") result = result.subarray(0, at);
    }
    return result;
  });
}
