// What a replica keeps of a gateway's catalog, and its parsers against everything that is not such a thing.

import fc from "fast-check";
import { expect, test } from "vitest";
import type { Account } from "../../../gateway/catalog/accounts.ts";
import type { Device } from "../../../gateway/catalog/devices.ts";
import { sealedContext } from "../../../gateway/dataDir.ts";
import { gatewaySecret } from "../../../gateway/gatewaySecret.ts";
import { type GatewayPart, parseGatewayPart } from "../../../gateway/replica/gatewayState/gatewayPart.ts";
import { openSealedState } from "../../../gateway/replica/gatewayState/sealedState.ts";
import { parseVaultPart, type VaultPart } from "../../../gateway/replica/gatewayState/vaultPart.ts";
import { settingsDefault } from "../../../gateway/settings.ts";
import { emptyDefinition } from "../../../ingest/schedule/itemDefinition.ts";
import { generateKeyPair, publicKeyOf, sealPublicBox } from "../../../vault/keys/box.ts";
import { damagedJson } from "../../vault/damagedText.ts";
import { outcome } from "../../vault/sampleVault.ts";
import { seededBytes } from "../../vault/seeded.ts";

const hex = (label: string, bytes: number): string => seededBytes(label, bytes).toString("hex");
const base64 = (label: string): string => seededBytes(label, 32).toString("base64");
const created = "2026-11-22T05:45:12.000Z";
const [gateway, vault, account, replica] = ["gateway", "vault", "account", "replica"].map((name) =>
  hex(name, 16),
) as [string, string, string, string];

const accountRow: Account = {
  ...{
    id: account,
    name: "anna",
    loginHash: "$2b$10$x",
    recoveryPublic: base64("recovery"),
    disabled: false,
  },
  ...{ kdf: { suite: 1, iterations: 600_000, salt: base64("salt") }, created, nextGroup: 3 },
  pendingLogin: { kdf: { suite: 1, iterations: 700_000, salt: base64("next") }, loginHash: "$2b$10$y" },
};
const device: Device = {
  ...{ id: hex("device", 16), account, name: "laptop", group: 1, ordinal: 7, publicKey: base64("public") },
  ...{ tokenHash: hex("token", 32), vault, isolated: false, revoked: true, enrolled: created },
  fleet: "tills",
};
const part: GatewayPart = {
  created,
  replica,
  accounts: [accountRow],
  appPasswords: [
    {
      ...{ id: "abcde", account, label: "phone", hash: hex("hash", 32), read: ["laptop", "files"] },
      ...{ asUser: { uid: 1000, gids: [1000, 4] }, created, expires: created },
    },
  ],
  devices: [device],
  fleetItems: [
    {
      ...{ account, fleet: "tills", item: "files", revision: 2, changed: created },
      definition: { ...emptyDefinition(["/home"]), skipOnBattery: true },
    },
  ],
  vaults: [
    {
      id: vault,
      account,
      name: "main",
      keysGeneration: 3,
      created,
      seen: { generation: 5, root: hex("root", 32) },
    },
  ],
  audit: { sequence: 12, hash: hex("line", 32) },
  homes: [{ account, record: "one\n\n", previous: null, handedOut: 4 }],
  boxes: [
    {
      ...{ number: 3, id: hex("box", 16), kind: "seed", name: "box 3", state: "sealed", created },
      accounts: [{ account, devices: [device.id] }],
      ...{ signer: hex("signer", 32), tokenHash: hex("box token", 32), fingerprint: "SHA256:00" },
      urls: ["https://box:1"],
      seal: { seal: 2, manifest: hex("manifest", 32), time: created },
    },
  ],
  replicas: [
    {
      ...{
        id: replica,
        name: "disk",
        url: "s3://bucket/p",
        conditionalPuts: true,
        notes: ["one"],
        bandwidth: "",
      },
      ...{ schedule: "02:00", parallel: 4, created },
      options: { region: "r", pathStyle: true, rootUrl: "file:///r", lockDays: { packs: 30, metadata: 90 } },
    },
  ],
};
const gatewayDocument = { format: "holdfast-gateway-catalog", version: 1, gateway, ...part };
const vaultPart: VaultPart = {
  changes: 9,
  items: [{ id: hex("item", 16), device: device.id, name: "files" }],
  definitions: [
    {
      ...{ item: hex("item", 16), revision: 3, changed: created },
      definition: { ...emptyDefinition(["/home"]), rules: ["daily at 02:00"], timeZone: "Europe/Vienna" },
      from: { fleet: "tills", revision: 2 },
    },
  ],
  needs: [
    {
      ...{ group: 1, id: hex("id", 32), pack: hex("pack", 32), offset: 96, length: 500, reporter: device.id },
    },
    { ...{ group: 1, id: hex("other", 32), pack: null, offset: 0, length: 0, reporter: device.id } },
  ],
  retention: {
    policies: [
      {
        item: hex("item", 16),
        policy: {
          ...{ last: 1, hourly: 0, daily: 7, weekly: 4, monthly: 0, yearly: 0, withinSeconds: 3600 },
          ...{ tags: ["quarter"], timeZone: "Europe/Vienna", trashSeconds: 86_400 },
        },
      },
    ],
    marks: [{ snapshot: hex("kept", 32), pin: { reason: "why", at: created }, tags: ["quarter"] }],
    trash: [
      { snapshot: hex("gone", 32), at: created, until: created, by: "policy", reason: "no rule keeps it" },
    ],
    guard: {
      items: [
        {
          item: hex("item", 16),
          history: [
            {
              ...{
                snapshot: hex("kept", 32),
                chunks: 7,
                files: 3,
                rewritten: 0.25,
                renamed: 0,
                vanished: 1,
                bytes: 9,
              },
              ...{ rawBytes: 2, agentBytes: 8, agentRawBytes: 1, state: "accepted" },
            },
          ],
          hold: {
            ...{ state: "held", since: created, snapshot: hex("bad", 32), pins: [hex("kept", 32)] },
            rules: [
              { rule: "creeping", share: 20.1, threshold: 15, usual: 1.5 },
              { rule: "encrypted", share: 20, threshold: 10, usual: null },
            ],
            figures: { newChunks: 3, saidRawBytes: null },
            pinReason: "why",
          },
        },
        { item: hex("other", 16), history: [], hold: null },
      ],
      settings: [
        {
          item: null,
          settings: {
            ...{ off: null, rewritten: 30, encrypted: null, renamed: 0, vanished: null, creeping: 12.5 },
          },
        },
      ],
    },
  },
};
const vaultDocument = { format: "holdfast-vault-catalog", version: 1, vault, ...vaultPart };

const text = (document: unknown): Buffer => Buffer.from(JSON.stringify(document));
const asGateway = (document: unknown): string => outcome(() => parseGatewayPart(text(document), gateway));
const asVault = (document: unknown): string => outcome(() => parseVaultPart(text(document), vault));

test("both parts survive, and members that are not known are left out", () => {
  expect(parseGatewayPart(text({ ...gatewayDocument, later: 1 }), gateway)).toEqual(part);
  expect(parseVaultPart(text({ ...vaultDocument, later: 1 }), vault)).toEqual(vaultPart);
});

test("another gateway's or vault's part, a newer version, another document", () => {
  expect(asGateway({ ...gatewayDocument, gateway: vault })).toBe("corrupt");
  expect(asGateway({ ...gatewayDocument, version: 2 })).toBe("unsupported");
  expect(asGateway(vaultDocument)).toBe("corrupt");
  expect(asVault({ ...vaultDocument, vault: gateway })).toBe("corrupt");
  expect(asVault({ ...vaultDocument, version: 2 })).toBe("unsupported");
  expect(asVault(gatewayDocument)).toBe("corrupt");
});

test("rows that stand twice, or name what is not there, are refused whole", () => {
  const other = { ...device, id: hex("other", 16) };
  for (const change of [
    { accounts: [accountRow, { ...accountRow, name: "bert" }] },
    { accounts: [accountRow, { ...accountRow, id: vault }] },
    { accounts: [] },
    { devices: [device, device] },
    { devices: [device, other] },
    { devices: [{ ...device, vault: account }] },
    { vaults: [] },
    { replicas: [part.replicas[0], { ...part.replicas[0], id: vault }] },
  ]) {
    expect(asGateway({ ...gatewayDocument, ...change })).toBe("corrupt");
  }
  const item = vaultPart.items[0];
  expect(asVault({ ...vaultDocument, items: [item, item] })).toBe("corrupt");
  expect(asVault({ ...vaultDocument, items: [item, { ...item, id: vault }] })).toBe("corrupt");
  expect(asVault({ ...vaultDocument, items: [{ ...item, name: "../up" }] })).toBe("corrupt");
});

test("whatever else stands there, the answer is a code", () => {
  const codes = ["ok", "corrupt", "limit-exceeded", "unsupported", "truncated"];
  fc.assert(
    fc.property(damagedJson(gatewayDocument), damagedJson(vaultDocument), (one, other) => {
      expect(codes).toContain(outcome(() => parseGatewayPart(Buffer.from(one), gateway)));
      expect(codes).toContain(outcome(() => parseVaultPart(Buffer.from(other), vault)));
    }),
    { numRuns: 1000, seed: 5 },
  );
});

const recovery = generateKeyPair();
const state = {
  settings: settingsDefault,
  tls: { certificate: "certificate", key: "key" },
  secret: gatewaySecret(recovery.privateKey, gateway).toString("base64"),
  metadataKeys: { [vault]: base64("metadata") },
};

function sealed(inside: string | Buffer = JSON.stringify(state), id = gateway): Record<string, unknown> {
  const box = sealPublicBox(recovery.publicKey, sealedContext(id), Buffer.from(inside));
  const head = { format: "holdfast-gateway-sealed", version: 1, gateway: id };
  return { ...head, public: recovery.publicKey.toString("base64"), box: box.toString("base64") };
}

test("sealed.json opens with its own key alone", () => {
  const opened = openSealedState(text(sealed()), recovery.privateKey, gateway);
  expect(opened).toEqual({ ...state, gateway, recoveryPublic: recovery.publicKey.toString("base64") });
  const other = generateKeyPair().privateKey;
  expect(outcome(() => openSealedState(text(sealed()), other, gateway))).toBe("key-wrong");
  // Somebody put another public key there.
  const posing = { ...sealed(), public: publicKeyOf(other).toString("base64") };
  expect(outcome(() => openSealedState(text(posing), other, gateway))).toBe("key-wrong");
  // A box of another gateway, under this one's name.
  const moved = { ...sealed(undefined, vault), gateway };
  expect(outcome(() => openSealedState(text(moved), recovery.privateKey, gateway))).toBe("seal-invalid");
  expect(outcome(() => openSealedState(text(sealed(undefined, vault)), recovery.privateKey, gateway))).toBe(
    "corrupt",
  );
  expect(
    outcome(() => openSealedState(text({ ...sealed(), version: 2 }), recovery.privateKey, gateway)),
  ).toBe("unsupported");
});

test("what somebody else sealed to the public half of the recovery key is refused", () => {
  // All that it takes is in the clear in the replica: the gateway's id and the public half.
  const forged = { ...state, secret: base64("a secret of the forger's own") };
  expect(
    outcome(() => openSealedState(text(sealed(JSON.stringify(forged))), recovery.privateKey, gateway)),
  ).toBe("seal-invalid");
});

test("an older gateway's settings get the defaults of what they lack, a newer one's lose what is not known", () => {
  const { driveCacheMiB: _later, ...older } = settingsDefault;
  const settings = { ...older, name: "box", shinier: true };
  const opened = openSealedState(
    text(sealed(JSON.stringify({ ...state, settings }))),
    recovery.privateKey,
    gateway,
  );
  expect(opened.settings).toEqual({ ...settingsDefault, name: "box" });
});

test("whatever is inside the box, the answer is a code", () => {
  fc.assert(
    fc.property(damagedJson(sealed()), damagedJson(state), (outer, inner) => {
      const codes = [
        "ok",
        "corrupt",
        "limit-exceeded",
        "unsupported",
        "truncated",
        "key-wrong",
        "seal-invalid",
      ];
      expect(codes).toContain(
        outcome(() => openSealedState(Buffer.from(outer), recovery.privateKey, gateway)),
      );
      const inside = text(sealed(inner));
      expect(codes).toContain(outcome(() => openSealedState(inside, recovery.privateKey, gateway)));
    }),
    { numRuns: 500, seed: 6 },
  );
});
