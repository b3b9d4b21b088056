import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { createVaultDocument, parseVaultDocument, requireFeatures } from "../../vault/vaultDocument.ts";
import { mutated, outcome } from "./sampleVault.ts";

const document = createVaultDocument({
  id: "0123456789abcdef0123456789abcdef",
  account: "fedcba9876543210fedcba9876543210",
  name: "main",
  created: "2026-01-02T03:04:05Z",
});
const operations = ["read", "write", "gc", "verify"] as const;
const parsed = (change: Record<string, unknown>) =>
  outcome(() => parseVaultDocument(JSON.stringify({ ...document, ...change })));

test("survives and allows everything", () => {
  const again = parseVaultDocument(Buffer.from(JSON.stringify(document, null, 2)));
  expect(again).toEqual(document);
  for (const operation of operations) expect(() => requireFeatures(again, operation)).not.toThrow();
});

test.each<[string, Record<string, unknown>, string]>([
  ["format", { format: "holdfast-keys" }, "corrupt"],
  ["higher version", { version: 2 }, "unsupported"],
  ["version", { version: 0 }, "corrupt"],
  ["id", { id: "0" }, "corrupt"],
  ["account", { account: null }, "corrupt"],
  ["name", { name: 1 }, "corrupt"],
  ["time", { created: "2026-01-02" }, "corrupt"],
  ["features", { features: [] }, "corrupt"],
  ["feature", { features: { read: [1] } }, "corrupt"],
  ["list of features", { features: { read: new Array(65).fill("x") } }, "limit-exceeded"],
  ["chunker", { chunker: {} }, "corrupt"],
  ["chunk length", { chunker: { ...document.chunker, maxBytes: 1 << 30 } }, "limit-exceeded"],
])("refuses a bad %s", (_, change, code) => {
  expect(parsed(change)).toBe(code);
});

describe("features", () => {
  test("an unknown flag refuses its operation only, and is named", () => {
    const features = { ...document.features, gc: ["roots-9"] };
    const newer = parseVaultDocument(JSON.stringify({ ...document, features }));
    expect(newer.features.gc).toEqual(["roots-9"]);
    expect(() => requireFeatures(newer, "gc")).toThrow(/"roots-9"/);
    expect(outcome(() => requireFeatures(newer, "gc"))).toBe("unsupported");
    for (const operation of ["read", "write", "verify"] as const) requireFeatures(newer, operation);
  });

  test("an unknown chunker refuses writing only", () => {
    for (const chunker of [
      { ...document.chunker, id: "fastcdc-2" },
      { ...document.chunker, minBytes: 1 },
    ]) {
      const other = parseVaultDocument(JSON.stringify({ ...document, chunker }));
      expect(outcome(() => requireFeatures(other, "write"))).toBe("unsupported");
      requireFeatures(other, "read");
    }
  });
});

test("random JSON and mutated text are refused in a typed way", () => {
  fc.assert(fc.property(fc.json(), (text) => void outcome(() => parseVaultDocument(text))));
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 100 }), (bytes) => void outcome(() => parseVaultDocument(bytes))),
  );
  fc.assert(
    fc.property(
      mutated(Buffer.from(JSON.stringify(document))),
      (bytes) => void outcome(() => parseVaultDocument(bytes)),
    ),
    { numRuns: 500 },
  );
});
