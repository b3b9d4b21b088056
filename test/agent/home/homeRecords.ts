// A directory of homes, a device that trusts it, and records that it signs.

import type { Directory, Enrollment } from "../../../agent/state/enrollment.ts";
import { SigningKey } from "../../../vault/keys/signature.ts";
import { type Home, type HomeRecord, signHomeRecord } from "../../../vault/seed/homeRecord.ts";
import { seededBytes } from "../../vault/seeded.ts";

export const key = new SigningKey(seededBytes("directory", 32));
export const directory: Directory = {
  id: "11".repeat(16),
  urls: ["https://dc.example:7440"],
  fingerprint: `SHA256:${"11".repeat(32)}`,
  signer: key.publicKey,
};
const account = "33".repeat(16);
export const device = "44".repeat(16);
export const atDirectory: Home = {
  gateway: directory.id,
  name: "dc",
  urls: [],
  fingerprint: directory.fingerprint,
};
export const box: Home = {
  gateway: "22".repeat(16),
  name: "box 7",
  urls: ["https://10.0.0.7:7440"],
  fingerprint: `SHA256:${"22".repeat(32)}`,
};

export function signed(generation: number, change: Partial<HomeRecord> = {}, by = key): string {
  const record: HomeRecord = {
    account,
    generation,
    time: "2026-11-25T22:00:00Z",
    directory: { id: directory.id, signer: by.publicKey },
    home: atDirectory,
    devices: [{ device, home: box }],
    ...change,
  };
  return signHomeRecord(record, by).toString();
}

export function enrolled(homeRecord?: string): Enrollment {
  return {
    format: "holdfast-agent",
    version: 1,
    gateway: { url: "https://dc.example:7440", fingerprint: directory.fingerprint },
    account: { id: account, name: "anna" },
    device: { id: device, name: "laptop", group: 1 },
    vault: "55".repeat(16),
    kdfIterations: 600_000,
    privateKey: "",
    token: "t",
    enrolled: "2026-11-25T22:00:00Z",
    directory,
    ...(homeRecord !== undefined && { homeRecord }),
  };
}
