// A revocation has two steps: the token's end, then the removal of the wrap that opens the vault's keys.

import { afterEach, beforeEach, expect, test } from "vitest";
import { GatewayFixture } from "./gatewayFixture.ts";

let fixture: GatewayFixture;

beforeEach(async () => {
  fixture = await GatewayFixture.create();
});
afterEach(async () => {
  await fixture.remove();
});

test("a revocation that was cut short is finished when the vault is opened again", async () => {
  const account = await fixture.account("anna");
  const doomed = await fixture.device(account, "doomed");
  const kept = await fixture.device(account, "kept");
  const wrapped = async (): Promise<string[]> => {
    const { wraps } = (await fixture.gateway.vault(doomed.vault)).keys;
    return wraps.flatMap((wrap) => (wrap.kind === "device" ? [wrap.device] : []));
  };
  fixture.gateway.catalog.devices.revoke(doomed.id);
  expect((await wrapped()).sort()).toEqual([doomed.id, kept.id].sort());
  await fixture.stop();
  await fixture.start();
  expect(await wrapped()).toEqual([kept.id]);
  const { generation } = (await fixture.gateway.vault(doomed.vault)).keys;
  expect(fixture.gateway.catalog.vaults.get(doomed.vault)?.keysGeneration).toBe(generation);
});
