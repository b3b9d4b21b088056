// What an invite's secret opens, against a vector that was made once and another implementation of the derivation.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { hkdf } from "@noble/hashes/hkdf.js";
import { sha256 } from "@noble/hashes/sha2.js";
import { expect, test } from "vitest";
import { formatInviteFile, parseInviteFile } from "../../../ingest/client/inviteFile.ts";
import { openBox } from "../../../vault/keys/box.ts";
import { inviteToken, openWithInvite, sealInviteBox } from "../../../vault/keys/invite.ts";
import { openWithPassword, parseKeysDocument } from "../../../vault/keys/keysDocument.ts";

const read = (name: string) =>
  JSON.parse(readFileSync(join(import.meta.dirname, "..", "..", "vectors", `${name}.json`), "utf8"));
const vector = read("invite");
const file = parseInviteFile(vector.file);
const keys = read("keys-document");
const document = parseKeysDocument(keys.document);
const { account, vault, epoch } = document;
const context = `holdfast/invite/${account}/${vault}/${epoch}/${file.invite}`;
const ascii = (text: string) => new TextEncoder().encode(text);

test("token and key are the derivation that format.md names, and the vector's box opens", () => {
  const derived = (label: string) =>
    hkdf(sha256, file.secret, Buffer.from(file.invite, "hex"), ascii(label), 32);
  const token = Buffer.from(derived("holdfast invite token v1")).toString("base64url");
  expect(inviteToken(file.secret, file.invite)).toBe(`hfv_${token}`);
  expect(vector.token).toBe(token);
  const e = openBox(derived("holdfast invite key v1"), context, Buffer.from(vector.box, "base64"));
  expect(e.toString("hex")).toBe(keys.e);
  const box = sealInviteBox(file.secret, file.invite, document, e);
  expect(openBox(derived("holdfast invite key v1"), context, box)).toEqual(e);
});

test("the file is written as it is read", () => {
  expect(formatInviteFile(file)).toBe(vector.file);
});

test("a box opens for its secret, invite, vault and epoch alone", () => {
  const { e } = openWithPassword(document, Buffer.from(keys.r, "hex"));
  const box = sealInviteBox(file.secret, file.invite, document, e);
  const open = (secret = file.secret, id = file.invite, given = document) =>
    openWithInvite(given, secret, id, box);
  expect(open().e).toEqual(e);
  expect(() => open(Buffer.alloc(32, 9))).toThrow(expect.objectContaining({ code: "key-wrong" }));
  expect(() => open(file.secret, "ab".repeat(16))).toThrow(expect.objectContaining({ code: "key-wrong" }));
  expect(() => open(file.secret, file.invite, { ...document, epoch: epoch + 1 })).toThrow(
    expect.objectContaining({ code: "seal-invalid" }),
  );
  expect(() => open(file.secret, file.invite, { ...document, vault: "00".repeat(16) })).toThrow(
    expect.objectContaining({ code: "seal-invalid" }),
  );
});
