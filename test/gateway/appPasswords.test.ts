// App passwords: who they let in, to what, until when; and that the right one always gets in.

import { createHash } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { NewAppPassword } from "../../gateway/admin/operations.ts";
import { makeAppPassword, readAppPassword } from "../../gateway/auth/appPasswordText.ts";
import { PresentedPassword } from "../../gateway/auth/presentedPassword.ts";
import { Accounts } from "../../gateway/catalog/accounts.ts";
import { appPasswordsMax } from "../../gateway/catalog/appPasswords.ts";
import { Catalog } from "../../gateway/catalog/catalog.ts";
import { Devices } from "../../gateway/catalog/devices.ts";
import { Vaults } from "../../gateway/catalog/vaults.ts";
import { openIndexEnvironment } from "../../gateway/index/environment.ts";
import { GatewayFixture, type TestAccount, type TestDevice } from "./gatewayFixture.ts";

const day = 86_400_000;
let fixture: GatewayFixture;
let anna: TestAccount;
let bert: TestAccount;
let laptop: TestDevice;
let clock = 0;
let wall = Date.parse("2026-11-25T12:00:00Z");

beforeAll(async () => {
  fixture = await GatewayFixture.create({ monotonicMs: () => clock, now: () => new Date(wall) });
  anna = await fixture.account("anna");
  bert = await fixture.account("bert");
  laptop = await fixture.device(anna, "laptop");
  await laptop.client.putItem("files");
});
afterAll(async () => {
  await fixture.remove();
});

function make(request: Partial<NewAppPassword> = {}, account = "anna") {
  return fixture.administration.addAppPassword(account, { label: "", ...request });
}

/** The principal, or the refusal. */
async function present(account: string, password: string, address: string) {
  return fixture.gateway.appPasswords.authenticate(new PresentedPassword(account, password), address);
}

/** The principal, or the code of the refusal. */
function ask(account: string, password: string, address = "10.0.0.1") {
  return present(account, password, address).catch((error: { code: string }) => error.code);
}

test("lets its account in, with what it was made for, and nobody else", async () => {
  const { password, id } = await make({
    label: "phone",
    read: "/laptop/files/latest/home/änn",
    asUser: { uid: 1000, gids: [1000, 27] },
  });
  expect(await ask("anna", password)).toEqual({
    account: fixture.gateway.catalog.accounts.byName("anna"),
    id,
    label: "phone",
    read: ["laptop", "files", "latest", "home", "änn"],
    asUser: { uid: 1000, gids: [1000, 27] },
  });
  expect(await ask("anna", (await make()).password)).toMatchObject({ label: "", read: undefined });
  expect(await ask("bert", password)).toBe("auth-failed");
  expect(await ask("Anna", password)).toBe("auth-failed");
  // The row alone, moved to another account, opens nothing there.
  const row = fixture.gateway.catalog.appPasswords.get(anna.id, id)!;
  expect(fixture.gateway.catalog.appPasswords.add({ ...row, account: bert.id })).toBe(true);
  expect(await ask("bert", password)).toBe("auth-failed");
  await fixture.administration.revokeAppPassword("bert", id);
  // Nothing of it but its hash is in the catalog.
  expect(JSON.stringify(fixture.gateway.catalog.appPasswords.list(anna.id))).not.toContain(
    readAppPassword(password)!.slice(5, 20),
  );
});

test("an unknown account, an unknown id, a wrong secret and the account's own password answer alike", async () => {
  const { password } = await make();
  // The right id with another secret whose check fits, as only who knows the form can write it.
  const own = readAppPassword(password)!.slice(0, 31);
  const body = `${own.slice(0, 30)}${own.endsWith("7") ? "8" : "7"}`;
  const check = [...createHash("sha256").update(`hfp-check\0${body}`).digest().subarray(0, 4)];
  const forged = `hfp${body}${check.map((byte) => "0123456789abcdefghjkmnpqrstvwxyz"[byte % 32]).join("")}`;
  expect(readAppPassword(forged)).toBeDefined();
  const answers = await Promise.all(
    [
      ["nobody", password],
      ["anna", makeAppPassword().text],
      ["anna", forged],
      ["anna", "correct horse battery staple"],
      ["anna", ""],
      ["", password],
      ["an\0na", password],
      ["x".repeat(5000), "y".repeat(5000)],
    ].map(([account = "", secret = ""], at) =>
      present(account, secret, `10.1.0.${at}`).catch(
        (error: { code: string; message: string; detail: object }) => [
          error.code,
          error.message,
          error.detail,
        ],
      ),
    ),
  );
  expect(new Set(answers.map((answer) => JSON.stringify(answer))).size).toBe(1);
  expect(JSON.stringify(answers[0])).toContain("auth-failed");
});

test("wrong ones are slowed down; a flood keeps neither the right one nor another address out", async () => {
  const { password } = await make();
  const wrong = makeAppPassword().text;
  const answers: unknown[] = [];
  for (let i = 0; i < 30; i++) answers.push(await ask("anna", wrong, "10.2.0.1"));
  expect(answers.slice(0, 5)).toEqual(Array(5).fill("auth-failed"));
  expect(answers.slice(5)).toEqual(Array(25).fill("auth-throttled"));
  expect(await ask("anna", password, "10.2.0.1")).toMatchObject({ account: { name: "anna" } });
  expect(await ask("anna", password, "10.2.0.2")).toMatchObject({ account: { name: "anna" } });
  // One address over many accounts, known or not.
  const spray: unknown[] = [];
  for (let i = 0; i < 40; i++) spray.push(await ask(`user${i}`, wrong, "10.2.0.9"));
  expect(spray.filter((answer) => answer === "auth-failed")).toHaveLength(20);
  expect(spray.at(-1)).toBe("auth-throttled");
  expect(await ask("anna", password, "10.2.0.9")).toMatchObject({ account: { name: "anna" } });
  clock += 15 * 60_000;
  expect(await ask("anna", wrong, "10.2.0.9")).toBe("auth-failed");
});

test("a revoked one ends at once, by its id or its label", async () => {
  const [byId, byLabel, other] = [await make(), await make({ label: "Büro 2" }), await make({ label: "tv" })];
  const principals = [await ask("anna", byId.password), await ask("anna", byLabel.password)];
  const current = () =>
    principals.map(
      (principal) => typeof principal === "object" && fixture.gateway.appPasswords.isCurrent(principal),
    );
  expect(current()).toEqual([true, true]);
  expect(await fixture.administration.revokeAppPassword("anna", byId.id)).toMatchObject({ id: byId.id });
  expect(current()).toEqual([false, true]);
  expect(await ask("anna", byId.password)).toBe("auth-failed");
  await fixture.administration.revokeAppPassword("anna", "Büro 2".normalize("NFD"));
  expect(current()).toEqual([false, false]);
  expect(await ask("anna", byLabel.password)).toBe("auth-failed");
  expect(await ask("anna", other.password)).toMatchObject({ label: "tv" });
  for (const which of [byId.id, "Büro 2", "", "nothing"]) {
    await expect(fixture.administration.revokeAppPassword("anna", which)).rejects.toMatchObject({
      code: "not-found",
    });
  }
  await expect(fixture.administration.revokeAppPassword("bert", "tv")).rejects.toMatchObject({
    code: "not-found",
  });
  await expect(make({ label: "tv" })).rejects.toMatchObject({ code: "exists" });
  await make({ label: "tv" }, "bert");
  // A label that is another's id: neither is taken for the other.
  const first = await make();
  const second = await make({ label: first.id });
  await expect(fixture.administration.revokeAppPassword("anna", first.id)).rejects.toMatchObject({
    code: "usage",
  });
  expect(await fixture.administration.revokeAppPassword("anna", second.id)).toMatchObject({
    label: first.id,
  });
});

test("one with an end is good until then", async () => {
  const { password, expires } = await make({ expiresIn: 30 * 86_400, label: "month" });
  expect(expires).toBe(new Date(wall + 30 * day).toISOString());
  const principal = await ask("anna", password);
  wall += 30 * day - 1;
  expect(await ask("anna", password)).toMatchObject({ label: "month" });
  wall += 1;
  expect(await ask("anna", password)).toBe("auth-failed");
  expect(typeof principal === "object" && fixture.gateway.appPasswords.isCurrent(principal)).toBe(false);
  const listed = await fixture.administration.appPasswords("anna");
  expect(listed.find(({ label }) => label === "month")).toMatchObject({ expired: true });
  for (const expiresIn of [0, -1, 1e12]) {
    await expect(make({ expiresIn })).rejects.toMatchObject({ code: "usage" });
  }
});

test("a disabled account's are refused until it is enabled, and only the right one is told", async () => {
  const { password } = await make();
  const principal = await ask("anna", password);
  await fixture.administration.setDisabled("anna", true);
  expect(await ask("anna", password)).toBe("account-disabled");
  expect(await ask("anna", makeAppPassword().text)).toBe("auth-failed");
  expect(typeof principal === "object" && fixture.gateway.appPasswords.isCurrent(principal)).toBe(false);
  await fixture.administration.setDisabled("anna", false);
  expect(await ask("anna", password)).toMatchObject({ account: { name: "anna" } });
});

test("a scope must name what is there, and lead nowhere else", async () => {
  const read = async (path: string) => (await make({ read: path })).read;
  expect(await read("/laptop")).toBe("/laptop");
  expect(await read("/laptop/files/")).toBe("/laptop/files");
  expect(await read("/laptop/files/2026-11-25T120000Z-2/etc/.ssh/@x")).toBe(
    "/laptop/files/2026-11-25T120000Z-2/etc/.ssh/@x",
  );
  const wrong = [
    "",
    "/",
    "laptop",
    "//laptop",
    "/laptop//files",
    "/laptop/../bert",
    "/laptop/files/.",
    "/..",
    "/laptop/./files",
  ];
  wrong.push(
    "/laptop/files/.history/etc",
    "/laptop/files/@GMT-2026.11.25-12.00.00/x",
    "/laptop/files/latest/a\0b",
  );
  wrong.push(
    `/laptop/files/latest/${"x".repeat(256)}`,
    "/laptop/files/latest/\ud800",
    `/laptop/files${"/x".repeat(300)}`,
  );
  for (const path of wrong) await expect(make({ read: path }), path).rejects.toMatchObject({ code: "usage" });
  for (const path of ["/desktop", "/laptop/photos", "/LAPTOP", "/laptop%2Ffiles", "/bert"]) {
    await expect(make({ read: path }), path).rejects.toMatchObject({ code: "not-found" });
  }
  await expect(make({ read: "/laptop" }, "bert")).rejects.toMatchObject({ code: "not-found" });
});

test("labels without control characters, and a number of passwords that ends", async () => {
  for (const label of ["x".repeat(65), "a\nb", "\u001b[2J", "a\u202eb"]) {
    await expect(make({ label })).rejects.toMatchObject({ code: "usage" });
  }
  const carla = await fixture.account("carla");
  for (let i = 0; i < appPasswordsMax; i++) await make({}, carla.name);
  await expect(make({}, carla.name)).rejects.toMatchObject({ code: "limit-exceeded" });
});

test("when one was used last is kept, written seldom, and outlives a restart", async () => {
  const { password, id } = await make({ label: "used" });
  const stored = () => fixture.gateway.catalog.appPasswords.get(anna.id, id)?.lastUsed;
  const listed = async () =>
    (await fixture.administration.appPasswords("anna")).find((row) => row.id === id)?.lastUsed;
  expect([stored(), await listed()]).toEqual([undefined, null]);
  const first = new Date(wall).toISOString();
  await ask("anna", password);
  expect([stored(), await listed()]).toEqual([first, first]);
  for (let i = 0; i < 20; i++) {
    wall += 1 + 997 * i;
    await ask("anna", password);
    expect([stored(), await listed()]).toEqual([first, new Date(wall).toISOString()]);
  }
  wall += 10 * 60_000;
  await ask("anna", password);
  expect(stored()).toBe(new Date(wall).toISOString());
  wall += 1000;
  await ask("anna", password);
  // Revoked before its use was written: it does not come back.
  const gone = await make();
  await ask("anna", gone.password);
  wall += 1;
  await ask("anna", gone.password);
  await fixture.administration.revokeAppPassword("anna", gone.id);
  await fixture.stop();
  await fixture.start();
  expect(stored()).toBe(new Date(wall - 1).toISOString());
  expect(await ask("anna", password)).toMatchObject({ label: "used" });
  expect(await ask("anna", gone.password)).toBe("auth-failed");
});

test("a catalog from before there were app passwords opens, with its accounts", async () => {
  const folder = mkdtempSync(join(tmpdir(), "holdfast-catalog-"));
  try {
    const old = openIndexEnvironment(folder);
    const accounts = new Accounts(old);
    new Devices(old);
    new Vaults(old);
    accounts.add(fixture.gateway.catalog.accounts.byName("anna")!);
    await old.close();
    const catalog = new Catalog(folder);
    expect(catalog.accounts.list()).toHaveLength(1);
    expect(catalog.appPasswords.list(anna.id)).toEqual([]);
    await catalog.close();
  } finally {
    rmSync(folder, { recursive: true });
  }
});
