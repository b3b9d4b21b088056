import { expect, test } from "vitest";
import { SigningKey } from "../../../vault/keys/signature.ts";
import { importToken, isImportToken } from "../../../vault/seed/importToken.ts";
import { seededBytes } from "../seeded.ts";

const key = new SigningKey(seededBytes("datacentre", 32));
const box = "22".repeat(16);
const token = importToken(box, key);

test("opens its box, by its datacentre's key, and nothing else does", () => {
  expect(isImportToken(token, box, key.publicKey)).toBe(true);
  expect(isImportToken(token, "23".repeat(16), key.publicKey)).toBe(false);
  expect(isImportToken(token, box, new SigningKey(seededBytes("other", 32)).publicKey)).toBe(false);
  for (const other of [
    "",
    "hfi_",
    token.slice(1),
    token.slice(0, -2),
    `${token}AA`,
    `hfx_${token.slice(4)}`,
  ]) {
    expect(isImportToken(other, box, key.publicKey)).toBe(false);
  }
});
