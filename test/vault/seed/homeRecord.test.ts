import { readFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { expect, test } from "vitest";
import { SigningKey } from "../../../vault/keys/signature.ts";
import { encodeProvenLine } from "../../../vault/replica/provenLine.ts";
import {
  type Home,
  type HomeRecord,
  homeOf,
  homesSeed,
  openHomeRecord,
  signHomeRecord,
} from "../../../vault/seed/homeRecord.ts";
import { damagedJson } from "../damagedText.ts";
import { mutated, outcome } from "../sampleVault.ts";
import { seededBytes } from "../seeded.ts";

const key = new SigningKey(homesSeed(seededBytes("homes secret", 32), seededBytes("homes gateway", 16)));
const home: Home = {
  gateway: "11".repeat(16),
  name: "datacentre",
  urls: ["https://dc.example:7440", "https://[2001:db8::1]:7440"],
  fingerprint: `SHA256:${"ab".repeat(32)}`,
};
const box: Home = { ...home, gateway: "22".repeat(16), name: "box 7", urls: [] };
const record: HomeRecord = {
  account: "33".repeat(16),
  generation: 7,
  time: "2026-11-25T22:00:00.000Z",
  directory: { id: home.gateway, signer: key.publicKey },
  home,
  devices: [{ device: "44".repeat(16), home: box }],
};
const bytes = signHomeRecord(record, key);

test("survives, and tells each device's home", () => {
  expect(openHomeRecord(bytes, key.publicKey)).toEqual(record);
  expect(homeOf(record, "44".repeat(16))).toBe(box);
  expect(homeOf(record, "55".repeat(16))).toBe(home);
  expect(homeOf(record, undefined)).toBe(home);
});

test("another directory's is refused, also where it says that it is ours", () => {
  const other = new SigningKey(seededBytes("another directory", 32));
  expect(outcome(() => openHomeRecord(bytes, other.publicKey))).toBe("seal-invalid");
  expect(outcome(() => openHomeRecord(signHomeRecord(record, other), key.publicKey))).toBe("seal-invalid");
});

test.each<[string, object, string]>([
  ["account", { account: "1" }, "corrupt"],
  ["generation", { generation: 0 }, "corrupt"],
  ["time", { time: "yesterday" }, "corrupt"],
  ["signer", { directory: { id: home.gateway, signer: "00".repeat(32) } }, "corrupt"],
  ["address with a path", { home: { ...home, urls: ["https://dc.example/x"] } }, "corrupt"],
  ["address with a user", { home: { ...home, urls: ["https://a:b@dc.example"] } }, "corrupt"],
  ["address without TLS", { home: { ...home, urls: ["http://dc.example"] } }, "corrupt"],
  ["fingerprint", { home: { ...home, fingerprint: "SHA256:00" } }, "corrupt"],
  ["number of addresses", { home: { ...home, urls: Array(17).fill(home.urls[0]) } }, "limit-exceeded"],
  ["version", { version: 2 }, "unsupported"],
])("refuses a bad %s", (_, change, code) => {
  const document = { format: "holdfast-home", version: 1, ...record, ...change };
  const signed = encodeProvenLine(document, (line) => key.sign(line));
  expect(outcome(() => openHomeRecord(signed, key.publicKey))).toBe(code);
});

test("fuzz: changed bytes never pass the signature", () => {
  fc.assert(
    fc.property(mutated(bytes), (other) => {
      fc.pre(!other.equals(bytes));
      expect(outcome(() => openHomeRecord(other, key.publicKey))).not.toBe("ok");
    }),
  );
});

test("fuzz: any signed document is read or refused", () => {
  fc.assert(
    fc.property(damagedJson({ format: "holdfast-home", version: 1, ...record }), (text) => {
      const document = JSON.parse(text === "" ? "{}" : text) as object | null;
      const signed = encodeProvenLine(document ?? {}, (line) => key.sign(line));
      outcome(() => openHomeRecord(signed, key.publicKey));
    }),
  );
});

test("golden vector", () => {
  const path = join(import.meta.dirname, "..", "..", "vectors", "home-record.json");
  const vector = JSON.parse(readFileSync(path, "utf8")) as { seed: string; signer: string; object: string };
  const signer = new SigningKey(Buffer.from(vector.seed, "hex"));
  expect(signer.publicKey).toBe(vector.signer);
  const fields = { ...record, directory: { id: home.gateway, signer: vector.signer } };
  expect(openHomeRecord(Buffer.from(vector.object), vector.signer)).toEqual(fields);
  expect(signHomeRecord(fields, signer).toString()).toBe(vector.object);
});
