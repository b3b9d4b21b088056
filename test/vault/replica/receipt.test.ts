import fc from "fast-check";
import { expect, test } from "vitest";
import {
  gatewayReceiptSeed,
  openReceipt,
  type Receipt,
  ReceiptSigner,
} from "../../../vault/replica/receipt.ts";
import { damagedJson } from "../damagedText.ts";
import { mutated, outcome } from "../sampleVault.ts";
import { seededBytes } from "../seeded.ts";
import { receipt } from "./sampleReplica.ts";

const signer = new ReceiptSigner(seededBytes("receipt seed", 32));
const bytes = signer.sign(receipt);

test("the key of RFC 8032, section 7.1, test 1", () => {
  const seed = Buffer.from("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60", "hex");
  const publicKey = "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a";
  expect(new ReceiptSigner(seed).publicKey).toBe(publicKey);
});

test("survives", () => {
  expect(openReceipt(bytes, signer.publicKey)).toEqual({ ...receipt, signer: signer.publicKey });
});

test("another signer's is refused, also where it says that it is ours", () => {
  const other = new ReceiptSigner(gatewayReceiptSeed(seededBytes("secret", 32), seededBytes("id", 16)));
  expect(outcome(() => openReceipt(bytes, other.publicKey))).toBe("seal-invalid");
  expect(outcome(() => openReceipt(other.sign(receipt), signer.publicKey))).toBe("seal-invalid");
});

test.each<[string, Partial<Record<keyof Receipt, unknown>>, string]>([
  ["proof", { proof: "word of honour" }, "unsupported"],
  ["vault", { vault: "1" }, "corrupt"],
  ["snapshot", { snapshot: null }, "corrupt"],
  ["generation", { generation: 0 }, "corrupt"],
  ["count", { packs: -1 }, "corrupt"],
  ["time", { time: "" }, "corrupt"],
])("refuses a bad %s", (_, change, code) => {
  const signed = signer.sign({ ...receipt, ...change } as Receipt);
  expect(outcome(() => openReceipt(signed, signer.publicKey))).toBe(code);
});

test("fuzz: changed bytes never pass the signature", () => {
  fc.assert(
    fc.property(mutated(bytes), (other) => {
      fc.pre(!other.equals(bytes));
      expect(outcome(() => openReceipt(other, signer.publicKey))).not.toBe("ok");
    }),
  );
});

test("fuzz: any signed document is read or refused", () => {
  fc.assert(
    fc.property(damagedJson(receipt), (text) => {
      const signed = signer.sign({ ...receipt, ...(JSON.parse(text === "" ? "{}" : text) as object) });
      outcome(() => openReceipt(signed, signer.publicKey));
    }),
  );
});
