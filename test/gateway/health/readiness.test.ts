// /readyz on a real gateway: why it is not ready, in words for machines, and how little asking it may cost.

import { rename } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { ErrorCode, HoldfastError } from "../../../vault/errors.ts";
import { fetchJson } from "../fetchJson.ts";
import { GatewayFixture } from "../gatewayFixture.ts";

let fixture: GatewayFixture;
let clockMs: number;
let vault: string;

beforeEach(async () => {
  clockMs = 0;
  fixture = await GatewayFixture.create({ monotonicMs: () => clockMs });
  vault = (await fixture.account("anna")).vault;
  await fixture.stop();
});
afterEach(async () => {
  await fixture.remove();
});

const ask = () => fetchJson(`${fixture.listening.url}/readyz`);
const ready = { status: 200, body: { ready: true, reasons: [] } };
const not = (...reasons: string[]) => ({ status: 503, body: { ready: false, reasons } });

test("not before its vaults are open; each thing that is wrong is named, and not when it is mended", async () => {
  await fixture.start();
  const { gateway } = fixture;
  expect(await ask()).toMatchObject(not("vaults-opening"));
  await gateway.vault(vault);
  expect(await ask(), "a look is kept for a while").toMatchObject(not("vaults-opening"));
  clockMs += 2000;
  expect(await ask()).toMatchObject(ready);

  Object.assign(gateway.dataDir.settings, { reserveMiB: 2 ** 40 });
  clockMs += 2000;
  expect(await ask()).toMatchObject(not("disk-below-reserve"));
  Object.assign(gateway.dataDir.settings, { reserveMiB: 0 });
  const writes = vi.spyOn(gateway.catalog, "write");
  for (let n = 0; n < 10; n++) {
    clockMs += 2000;
    expect(await ask()).toMatchObject(ready);
  }
  expect(writes).not.toHaveBeenCalled();
  writes.mockImplementation(() => {
    throw new HoldfastError(ErrorCode.diskFull, "planted");
  });
  clockMs += 30_000;
  expect(await ask()).toMatchObject(not("catalog-not-writable"));
  writes.mockRestore();
  clockMs += 30_000;
  expect(await ask()).toMatchObject(ready);
});

test("a vault that cannot be opened is tried again after a minute, and strangers read no names", async () => {
  const document = join(fixture.gateway.vaultDirectory(vault), "vault.json");
  await rename(document, `${document}.away`);
  await fixture.start();
  const opening = (): Promise<unknown> => fixture.gateway.vault(vault).catch(() => undefined);
  await ask();
  await opening();
  clockMs += 2000;
  await ask();
  await opening();
  clockMs += 2000;
  const failed = await ask();
  expect(failed).toMatchObject(not("vaults-failed"));
  expect(JSON.stringify(failed)).not.toMatch(/anna|vault\.json|holdfast-/);
  await rename(`${document}.away`, document);
  clockMs += 2000;
  expect(await ask()).toMatchObject(not("vaults-failed"));
  clockMs += 60_000;
  await ask();
  await opening();
  clockMs += 2000;
  expect(await ask()).toMatchObject(ready);
});
