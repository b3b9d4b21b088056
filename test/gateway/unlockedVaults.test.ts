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

function nextEpoch(before: VaultSecrets): VaultSecrets {
  const currentEpoch = before.currentEpoch + 1;
  return { ...before, epochs: new Map([...before.epochs, [currentEpoch, randomBytes(32)]]), currentEpoch };
}

test("a rotation renews keys that are held and keeps their time; without the new ones they are locked", () => {
  const reasons: string[] = [];
  const vaults = new UnlockedVaults(
    () => 0,
    (vault, why) => reasons.push(`${vault} ${why}`),
  );
  const second = nextEpoch(secrets);
  expect(vaults.rotated("v", new VaultKeys(second))).toBe("none");
  const held = new VaultKeys(secrets);
  vaults.unlock("v", held, 60_000);
  const newer = new VaultKeys(second);
  expect(vaults.rotated("v", newer)).toBe("renewed");
  expect(vaults.list()).toEqual([{ vault: "v", leftMs: 60_000 }]);
  expect(vaults.keys("v")).toBe(held);
  expect(held.sealKeys(2)).toEqual(newer.sealKeys(2));
  // Of another A for an epoch that is held: nothing of it is taken.
  const wrong = nextEpoch({ ...second, epochs: new Map([...second.epochs, [2, randomBytes(32)]]) });
  expect(vaults.rotated("v", new VaultKeys(wrong))).toBe("locked");
  expect(() => held.fileHashKey).toThrow("locked");
  vaults.unlock("v", new VaultKeys(secrets));
  expect(vaults.rotated("v", undefined)).toBe("locked");
  expect(vaults.list()).toEqual([]);
  expect(reasons).toEqual(["v rotation", "v rotation"]);
});

test("unlocking again gives a new time and leaves the keys that are in use, which newer epochs are added to", async () => {
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

  const rotated = new VaultKeys(nextEpoch(secrets));
  vaults.unlock("v", rotated);
  expect(vaults.keys("v")).toBe(first);
  expect(first.currentEpoch).toBe(2);
  expect(() => rotated.fileHashKey).toThrow("locked");
  const others = new VaultKeys({ ...secrets, s: randomBytes(32) });
  vaults.unlock("v", others);
  expect(vaults.keys("v")).toBe(others);
  expect(() => first.fileHashKey).toThrow("locked");

  let told = 0;
  vaults.onChanged(() => told++);
  vaults.unlock("v", others, 500);
  expect(vaults.keys("v").fileHashKey).toHaveLength(32);
  await expect.poll(() => vaults.list()).toEqual([]);
  expect(told).toBe(2);
  expect(() => vaults.keys("v")).toThrow("locked");
});
