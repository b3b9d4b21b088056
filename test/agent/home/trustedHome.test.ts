// What a machine believes of where its backups belong.

import { expect, test } from "vitest";
import { checkedHome, homeOfNewcomers } from "../../../agent/home/trustedHome.ts";
import { isHoldfastError } from "../../../vault/errors.ts";
import { SigningKey } from "../../../vault/keys/signature.ts";
import { seededBytes } from "../../vault/seeded.ts";
import { atDirectory, box, directory, enrolled, key, signed } from "./homeRecords.ts";

test("a newer record names this device's home, the directory's own address where it names none", () => {
  expect(checkedHome(signed(3), enrolled(), directory)).toEqual({ home: box, generation: 3 });
  const back = checkedHome(signed(4, { devices: [] }), enrolled(signed(3)), directory);
  expect(back).toEqual({ home: { ...atDirectory, urls: directory.urls }, generation: 4 });
  expect(homeOfNewcomers(signed(3), directory)).toEqual({ ...atDirectory, urls: directory.urls });
});

test("the same record again is no news and no lie", () => {
  expect(checkedHome(signed(3), enrolled(signed(3)), directory).generation).toBe(3);
});

test.each<[string, string, string]>([
  ["an older one", signed(2), "home-behind"],
  ["another one of the same generation", signed(3, { devices: [] }), "home-forged"],
  ["one of another account", signed(9, { account: "99".repeat(16) }), "home-forged"],
  [
    "one from another directory of the same key",
    signed(9, { directory: { id: "99".repeat(16), signer: key.publicKey } }),
    "home-forged",
  ],
  ["one by another key", signed(9, {}, new SigningKey(seededBytes("forger", 32))), "home-forged"],
  ["no record", "undefined", "home-forged"],
  ["a changed one", signed(9).replace("box 7", "box 8"), "home-forged"],
])("%s is refused", (_, text, code) => {
  let refusal: unknown;
  try {
    checkedHome(text, enrolled(signed(3)), directory);
  } catch (error) {
    refusal = error;
  }
  expect(isHoldfastError(refusal) && refusal.code).toBe(code);
});
