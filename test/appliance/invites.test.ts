// Invites from their making to machines that are enrolled: files on the disk, a loop over fifty, and machines that are stopped between two steps.

import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { enrollByInvite } from "../../agent/enroll/enrollByInvite.ts";
import { findEnrollment } from "../../agent/state/enrollment.ts";
import { makeInvites } from "../../appliance/account/invites.ts";
import { makeAccount } from "../../appliance/account/ownerKeys.ts";
import { GatewayClient } from "../../ingest/client/gatewayClient.ts";
import { parseInviteFile } from "../../ingest/client/inviteFile.ts";
import { ErrorCode } from "../../vault/errors.ts";
import { publicKeyOf } from "../../vault/keys/box.ts";
import { openWithDevice, parseKeysDocument } from "../../vault/keys/keysDocument.ts";
import { limits } from "../../vault/limits.ts";
import { GatewayFixture } from "../gateway/gatewayFixture.ts";

const password = "a long password";
let fixture: GatewayFixture;
let folder: string;

beforeAll(async () => {
  fixture = await GatewayFixture.create();
  folder = mkdtempSync(join(tmpdir(), "holdfast-invites-"));
  const account = { name: "acme", password, iterations: limits.kdfIterationsMin, now: new Date() };
  await fixture.administration.addAccount((await makeAccount(account)).request);
});
afterAll(async () => {
  await fixture.remove();
  rmSync(folder, { recursive: true, force: true });
});

function make(count: number, wish: { readonly device?: string; readonly secret?: string } = {}) {
  return makeInvites(
    fixture.administration,
    {
      ...{ account: "acme", count, folder: join(folder, "invites"), expiresInSeconds: 3600 },
      ...{ url: fixture.listening.url, fingerprint: fixture.fingerprint },
      ...{ isolated: false, appendOnly: false, device: wish.device ?? null, takeOver: null, fleet: null },
    },
    async () => wish.secret ?? password,
  );
}

const fileOf = (path: string) => parseInviteFile(readFileSync(path, "utf8"));
const options = (path: string, name: string) => ({
  ...{ file: fileOf(path), deviceName: name, state: join(folder, name), replace: false, now: new Date() },
});

test("fifty machines, one file each, without the password", { timeout: 60_000 }, async () => {
  const made = await make(50);
  expect(new Set(made.map(({ file }) => file)).size).toBe(50);
  for (const { file } of made) expect(statSync(file).mode & 0o777).toBe(0o600);
  expect(statSync(join(folder, "invites")).mode & 0o777).toBe(0o700);
  for (const [index, { file }] of made.entries()) await enrollByInvite(options(file, `pc-${index}`));
  const devices = await fixture.administration.devices("acme");
  expect(devices.map(({ name }) => name).sort()).toEqual(made.map((_, index) => `pc-${index}`).sort());
  const last = findEnrollment(join(folder, "pc-49"))!;
  expect(last).toMatchObject({
    account: { name: "acme" },
    kdfIterations: limits.kdfIterationsMin,
    gateway: { url: fixture.listening.url, fingerprint: fixture.fingerprint },
  });
  expect(readdirSync(join(folder, "pc-49")).sort()).toEqual(["agent.json", "lock", "seen.json"]);
  const client = fixture.client(last.token);
  const document = parseKeysDocument(await client.keysDocument(last.vault));
  const privateKey = Buffer.from(last.privateKey, "base64");
  openWithDevice(document, last.device.id, privateKey, publicKeyOf(privateKey));
  const states = (await fixture.administration.invites.list("acme")).map(({ state }) => state);
  expect(new Set(states)).toEqual(new Set(["used"]));
});

test("a machine that was stopped anywhere goes on with the same command; another with its file does not", async () => {
  const [{ file }] = (await make(1)) as [Awaited<ReturnType<typeof make>>[0]];
  const wish = options(file, "stopped");
  // Its answers are lost, one request after the other: the gateway did what it was asked.
  const lost = (name: "claimInvite" | "enrollInvited") => {
    const real = GatewayClient.prototype[name] as (json: unknown) => Promise<unknown>;
    return vi.spyOn(GatewayClient.prototype, name).mockImplementationOnce(async function (
      this: GatewayClient,
      json: unknown,
    ) {
      await real.call(this, json);
      throw new Error("stopped");
    });
  };
  for (const name of ["claimInvite", "enrollInvited"] as const) {
    const spy = lost(name);
    await expect(enrollByInvite(wish)).rejects.toThrow("stopped");
    spy.mockRestore();
    expect(statSync(join(wish.state, "enrolling.json")).mode & 0o777).toBe(0o600);
    expect(findEnrollment(wish.state)).toBeUndefined();
    await expect(enrollByInvite(options(file, "other"))).rejects.toMatchObject({
      code: ErrorCode.tokenInvalid,
    });
  }
  const pending = readFileSync(join(wish.state, "enrolling.json"));
  const enrolled = await enrollByInvite(wish);
  expect(existsSync(join(wish.state, "enrolling.json"))).toBe(false);
  expect((await fixture.client(enrolled.token).me()).device?.name).toBe("stopped");
  // Stopped when it was enrolled, before it tidied up.
  writeFileSync(join(wish.state, "enrolling.json"), pending);
  expect(await enrollByInvite(wish)).toEqual(enrolled);
  expect(existsSync(join(wish.state, "enrolling.json"))).toBe(false);
  await expect(enrollByInvite(wish)).rejects.toMatchObject({ code: ErrorCode.exists });
  writeFileSync(join(folder, "other", "enrolling.json"), "{");
  await expect(enrollByInvite(options(file, "other"))).rejects.toMatchObject({
    code: ErrorCode.dataDirInvalid,
  });
});

test("a wrong password, or a gateway that refuses, leaves no file", async () => {
  const before = readdirSync(join(folder, "invites"));
  await expect(make(2, { secret: "wrong" })).rejects.toMatchObject({ code: ErrorCode.keyWrong });
  await expect(make(2, { device: "one" })).rejects.toMatchObject({ code: ErrorCode.usage });
  expect(readdirSync(join(folder, "invites"))).toEqual(before);
});
