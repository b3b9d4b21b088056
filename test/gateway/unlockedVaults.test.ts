import { randomBytes } from "node:crypto";
import { expect, test } from "vitest";
import { UnlockedVaults } from "../../gateway/unlockedVaults.ts";
import { VaultKeys, type VaultSecrets } from "../../vault/keys/vaultKeys.ts";

const secrets: VaultSecrets = {
  vaultId: randomBytes(16),
  s: randomBytes(32),
  epochs: new Map([[1, randomBytes(32)]]),
  currentEpoch: 1,
};

test("unlocking again gives a new time and leaves the keys that are in use; other keys take their place", async () => {
  const vaults = new UnlockedVaults();
  const first = new VaultKeys(secrets);
  vaults.unlock("v", first, 20);
  const again = new VaultKeys(secrets);
  vaults.unlock("v", again, 3_600_000);
  expect(vaults.keys("v")).toBe(first);
  expect(() => again.fileHashKey).toThrow("locked");
  expect(vaults.list()[0]?.leftMs).toBeGreaterThan(1_000_000);
  vaults.unlock("v", new VaultKeys(secrets));
  expect(vaults.list()).toEqual([{ vault: "v", leftMs: undefined }]);
  expect(first.fileHashKey).toHaveLength(32);

  const rotated = new VaultKeys({
    ...secrets,
    epochs: new Map([...secrets.epochs, [2, randomBytes(32)]]),
    currentEpoch: 2,
  });
  vaults.unlock("v", rotated);
  expect(vaults.keys("v")).toBe(rotated);
  expect(() => first.fileHashKey).toThrow("locked");

  let told = 0;
  vaults.onChanged(() => told++);
  vaults.unlock("v", rotated, 500);
  expect(vaults.keys("v").fileHashKey).toHaveLength(32);
  await expect.poll(() => vaults.list()).toEqual([]);
  expect(told).toBe(2);
  expect(() => vaults.keys("v")).toThrow("locked");
});
