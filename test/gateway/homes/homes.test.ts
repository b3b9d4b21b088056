// Which gateway takes whose backups: two real gateways over HTTPS, one of them the directory.

import { randomBytes } from "node:crypto";
import { afterEach, beforeEach, expect, test } from "vitest";
import { isHoldfastError } from "../../../vault/errors.ts";
import { type Home, openHomeRecord } from "../../../vault/seed/homeRecord.ts";
import { dataRecord, GatewayFixture, pageRecord, snapshotOf, type TestAccount } from "../gatewayFixture.ts";

let directory: GatewayFixture;
let account: TestAccount;

const elsewhere: Home = {
  gateway: "ee".repeat(16),
  name: "elsewhere",
  urls: ["https://127.0.0.1:1"],
  fingerprint: `SHA256:${"ee".repeat(32)}`,
};

beforeEach(async () => {
  directory = await GatewayFixture.create();
  account = await directory.account("anna");
});
afterEach(async () => {
  await directory.remove();
});

async function codeOf(work: Promise<unknown>): Promise<string> {
  return await work.then(
    () => "ok",
    (error: unknown) => (isHoldfastError(error) ? error.code : String(error)),
  );
}

test("a gateway that was never told otherwise is the home of all", async () => {
  const device = await directory.device(account, "laptop");
  expect(await device.client.home()).toEqual({ record: null });
  expect(directory.gateway.homes.isHere(account.id, device.id)).toBe(true);
  const { id, signer } = await directory.client().directory();
  expect(id).toBe(directory.gateway.dataDir.identity.id);
  expect(signer).toMatch(/^[0-9a-f]{64}$/);
});

test("a moved device is refused with the signed record, reads on, and others stay", async () => {
  const moved = await directory.device(account, "laptop");
  const kept = await directory.device(account, "server");
  const item = await moved.client.putItem("files");
  const before = await moved.client.startSession({ vault: account.vault, item: item.id, highestSequence: 0 });
  const leaf = dataRecord(moved);
  await moved.client.records(before.session, [leaf.record]);
  const record = await directory.gateway.homes.move(account.id, [moved.id], elsewhere);
  expect(record.generation).toBe(1);

  const start = moved.client.startSession({ vault: account.vault, item: item.id, highestSequence: 0 });
  const refused = await start.catch((error: unknown) => error);
  expect(isHoldfastError(refused) && refused.code).toBe("not-home");
  const text = isHoldfastError(refused) ? String(refused.detail.record) : "";
  const { signer } = await directory.client().directory();
  expect(openHomeRecord(Buffer.from(text), signer).devices).toEqual([{ device: moved.id, home: elsewhere }]);
  expect(await moved.client.home()).toEqual({ record: text });

  expect(await codeOf(moved.client.putItem("files"))).toBe("not-home");
  expect(await codeOf(moved.client.have(before.session, [leaf.id]))).toBe("not-home");
  expect(await codeOf(moved.client.records(before.session, [dataRecord(moved).record]))).toBe("not-home");
  expect(await codeOf(moved.client.snapshots())).toBe("ok");
  expect(await codeOf(kept.client.putItem("files"))).toBe("ok");
});

test("a commit that races with a move is refused or was before it, never both", async () => {
  const device = await directory.device(account, "laptop");
  const item = await device.client.putItem("files");
  const outcomes = new Set<string>();
  let sequence = 0;
  let head: string | null = null;
  for (let round = 0; round < 8; round++) {
    const { session } = await device.client.startSession({
      vault: account.vault,
      item: item.id,
      highestSequence: 0,
    });
    const page = pageRecord(device, [], randomBytes(8).toString("hex"));
    await device.client.records(session, [page.record]);
    const { id, bytes } = snapshotOf(device, item, sequence + 1, head, page.id);
    const commit = codeOf(device.client.commit(session, bytes));
    if (round % 2 === 1) await new Promise((resolve) => setTimeout(resolve, round));
    await directory.gateway.homes.move(account.id, [device.id], elsewhere);
    const outcome = await commit;
    outcomes.add(outcome);
    const vault = await directory.gateway.vault(account.vault);
    const now = vault.catalog.item(item.id)!;
    expect(now.head === id.toString("hex")).toBe(outcome === "ok");
    if (outcome === "ok") {
      // Its answer may have been lost: asked again after the move, it is the same.
      expect(await codeOf(device.client.commit(session, bytes))).toBe("ok");
      sequence++;
      head = now.head;
    }
    await directory.gateway.homes.move(account.id, [device.id], directory.gateway.homes.here());
  }
  for (const outcome of outcomes) expect(["ok", "not-home", "session-ended"]).toContain(outcome);
});

test("generations grow over moves, undo and a restart; undo takes the homes of before", async () => {
  const { homes } = directory.gateway;
  const device = await directory.device(account, "laptop");
  expect(await codeOf(homes.undo(account.id))).toBe("not-found");
  await homes.move(account.id, null, elsewhere);
  await homes.move(account.id, [device.id], homes.here());
  expect(homes.homesteads(account.id)).toMatchObject({ generation: 2, home: elsewhere });
  expect(homes.isHere(account.id, device.id)).toBe(true);
  await homes.undo(account.id);
  expect(homes.homesteads(account.id)).toMatchObject({ generation: 3, home: elsewhere, devices: [] });
  await directory.stop();
  await directory.start();
  const again = directory.gateway.homes;
  expect(again.homesteads(account.id)).toMatchObject({ generation: 3, home: elsewhere, devices: [] });
  await again.move(account.id, null, again.here());
  expect(again.homesteads(account.id)).toMatchObject({ generation: 4, devices: [] });
  expect(again.isHere(account.id)).toBe(true);
});

test("a loan: the recall is in force nowhere until it is said, and then as it was signed", async () => {
  const { homes } = directory.gateway;
  const device = await directory.device(account, "laptop");
  const { record, recall } = await homes.lend(account.id, [device.id], elsewhere);
  const { signer } = homes.directory();
  expect(openHomeRecord(record, signer).generation).toBe(1);
  expect(openHomeRecord(recall, signer)).toMatchObject({ generation: 2, devices: [] });
  expect(homes.isHere(account.id, device.id)).toBe(false);
  await homes.recalled(account.id, elsewhere.gateway, recall);
  expect(homes.record(account.id)).toEqual(recall);
  expect(homes.isHere(account.id, device.id)).toBe(true);
  // Said twice: nothing more happens.
  await homes.recalled(account.id, elsewhere.gateway, recall);
  expect(homes.homesteads(account.id).generation).toBe(2);
});

test("two loans of one account: the first recall is overtaken, and each box gives back its own", async () => {
  const { homes } = directory.gateway;
  const [one, two] = [await directory.device(account, "one"), await directory.device(account, "two")];
  const other: Home = { ...elsewhere, gateway: "dd".repeat(16), name: "other box" };
  const first = await homes.lend(account.id, [one.id], elsewhere);
  await homes.lend(account.id, [two.id], other);
  expect(homes.homesteads(account.id)).toMatchObject({ generation: 3 });
  await homes.recalled(account.id, elsewhere.gateway, first.recall);
  expect(homes.homesteads(account.id).generation).toBeGreaterThan(4);
  expect(homes.isHere(account.id, one.id)).toBe(true);
  expect(homes.isHere(account.id, two.id)).toBe(false);
  await homes.recalled(account.id, other.gateway);
  expect(homes.homesteads(account.id).devices).toEqual([]);
});

test("a gateway that follows another directory takes its records only, and only newer ones", async () => {
  const box = await GatewayFixture.create();
  try {
    const { homes } = box.gateway;
    box.gateway.catalog.homes.setDirectory(directory.gateway.homes.directory());
    const lender = directory.gateway.homes;
    const { record, recall } = await lender.lend(account.id, null, homes.here());
    await homes.adopt(record);
    expect(homes.isHere(account.id)).toBe(true);
    expect(await codeOf(homes.move(account.id, null, elsewhere))).toBe("forbidden");
    await homes.adopt(recall);
    expect(homes.isHere(account.id)).toBe(false);
    expect(await codeOf(homes.adopt(record))).toBe("home-behind");
    await homes.adopt(recall);
    const forger = await GatewayFixture.create();
    try {
      const forged = await forger.gateway.homes.lend(account.id, null, homes.here());
      expect(await codeOf(homes.adopt(forged.recall))).toBe("seal-invalid");
    } finally {
      await forger.remove();
    }
  } finally {
    await box.remove();
  }
});

test("new devices are sent to the account's home", async () => {
  await directory.gateway.homes.move(account.id, null, elsewhere);
  expect(await codeOf(directory.device(account, "late"))).toBe("not-home");
});
