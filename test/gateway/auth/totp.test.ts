// Codes besides the password: the vectors of RFC 6238, and what a gateway takes.

import { randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { AuditAdministration } from "../../../gateway/admin/auditOperations.ts";
import {
  codeOf,
  makeRecoveryCode,
  recoveryCodeHash,
  stepAt,
  stepOfCode,
} from "../../../gateway/auth/totp.ts";
import { openTotpSecret } from "../../../gateway/auth/totpSecret.ts";
import { exportGatewayPart, parseGatewayPart } from "../../../gateway/replica/gatewayState/gatewayPart.ts";
import { isHoldfastError } from "../../../vault/errors.ts";
import { GatewayFixture, type TestAccount } from "../gatewayFixture.ts";
import { secretOf } from "./authenticator.ts";

describe("the algorithm", () => {
  const secret = Buffer.from("12345678901234567890");

  test("gives the codes of RFC 6238, appendix B, and RFC 4226, appendix D", () => {
    const vectors: readonly (readonly [number, string])[] = [
      [59, "94287082"],
      [1111111109, "07081804"],
      [1111111111, "14050471"],
      [1234567890, "89005924"],
      [2000000000, "69279037"],
      [20000000000, "65353130"],
    ];
    for (const [seconds, code] of vectors) expect(codeOf(secret, stepAt(seconds * 1000), 8)).toBe(code);
    const hotp = [
      "755224",
      "287082",
      "359152",
      "969429",
      "338314",
      "254676",
      "287922",
      "162583",
      "399871",
      "520489",
    ];
    expect(hotp.map((_code, counter) => codeOf(secret, counter))).toEqual(hotp);
  });

  test("takes the steps before and after, and no others; spaces do not matter, and no text throws", () => {
    const now = 1_000_000_015_000;
    const step = stepAt(now);
    for (const away of [-1, 0, 1])
      expect(stepOfCode(secret, codeOf(secret, step + away), now)).toBe(step + away);
    for (const away of [-2, 2]) expect(stepOfCode(secret, codeOf(secret, step + away), now)).toBeUndefined();
    const code = codeOf(secret, step);
    expect(stepOfCode(secret, `${code.slice(0, 3)} ${code.slice(3)}`, now)).toBe(step);
    fc.assert(
      fc.property(fc.string(), (text) => {
        const right = [-1, 0, 1].some((away) => codeOf(secret, step + away) === text.replace(/\s/g, ""));
        expect(stepOfCode(secret, text, now) !== undefined).toBe(right);
        recoveryCodeHash(text);
      }),
    );
  });

  test("recovery codes are read however they are typed", () => {
    const code = makeRecoveryCode();
    expect(code).toMatch(/^([A-Z2-7]{4}-){3}[A-Z2-7]{4}$/);
    expect(recoveryCodeHash(` ${code.toLowerCase().replaceAll("-", " ")}`)).toBe(recoveryCodeHash(code));
    expect(recoveryCodeHash(makeRecoveryCode())).not.toBe(recoveryCodeHash(code));
    expect(recoveryCodeHash("123456")).toBeUndefined();
  });
});

describe("at a gateway", () => {
  let fixture: GatewayFixture;
  let anna: TestAccount;
  let secret: Buffer;
  let recovery: readonly string[];
  let nowMs = Date.UTC(2026, 10, 26);
  let monotonic = 0;
  let logins = 0;

  beforeAll(async () => {
    fixture = await GatewayFixture.create({ now: () => new Date(nowMs), monotonicMs: () => monotonic });
    anna = await fixture.account("anna");
  });
  afterAll(async () => {
    await fixture.remove();
  });

  const code = (away = 0): string => codeOf(secret, stepAt(nowMs) + away);
  const login = async (given?: string, l: Buffer = anna.l): Promise<string> => {
    // Each from an address of its own: what is counted by address is tested elsewhere.
    const address = `198.51.100.${++logins % 256}`;
    try {
      await fixture.gateway.authenticator.login("anna", l, address, given);
      return "in";
    } catch (error) {
      if (!isHoldfastError(error)) throw error;
      return `${error.code}: ${error.message}`;
    }
  };
  const later = (steps = 1): void => {
    nowMs += steps * 30_000;
  };

  test("nothing is asked before a first code was right; then every login needs one", async () => {
    const { totp } = fixture.administration;
    const { uri, recoveryCodes } = await totp.begin("anna");
    expect(uri).toMatch(
      /^otpauth:\/\/totp\/test:anna\?secret=[A-Z2-7]{32}&issuer=test&algorithm=SHA1&digits=6&period=30$/,
    );
    recovery = recoveryCodes;
    expect(await login()).toBe("in");
    await expect(totp.confirm("anna", "000000")).rejects.toThrow("wrong");
    await expect(totp.confirm("nobody", "000000")).rejects.toThrow("no account");
    secret = secretOf(uri);
    await totp.confirm("anna", code());
    expect(await totp.status("anna")).toMatchObject({ enabled: true, recoveryCodesLeft: 10 });
    await expect(totp.begin("anna")).rejects.toThrow("already");
    expect(await login()).toContain("code-required");
    // The one that was confirmed with is used.
    expect(await login(code())).toContain("used already");
    expect(await login(code(1))).toBe("in");
  });

  test("without the right password a right code tells nothing", async () => {
    later(3);
    expect(await login(code(), randomBytes(24))).toMatch(/^auth-failed/);
    expect(await login(undefined, randomBytes(24))).toMatch(/^auth-failed/);
    expect(await login(code())).toBe("in");
  });

  test("a code counts once, also of two at a time and after a restart, and an older one not any more", async () => {
    later(3);
    const both = await Promise.all([login(code()), login(code())]);
    expect(both.filter((answer) => answer === "in")).toHaveLength(1);
    await fixture.stop();
    await fixture.start();
    expect(await login(code())).toContain("used already");
    expect(await login(code(-1))).toContain("used already");
    expect(await login(code(1))).toBe("in");
  });

  test("a recovery code counts once, and is noted", async () => {
    const [first = ""] = recovery;
    expect(await login(first.toLowerCase())).toBe("in");
    expect(await login(first)).toContain("wrong");
    expect(await fixture.administration.totp.status("anna")).toMatchObject({ recoveryCodesLeft: 9 });
    const audit = new AuditAdministration(fixture.gateway);
    const used = (await audit.list({ after: 0, limit: 100, event: "totp" })).entries;
    expect(used).toMatchObject([
      { event: "totp.recovery-used", actor: { account: "anna" }, subject: { left: 9 } },
    ]);
  });

  test("over the wire; tokens of devices need no code", async () => {
    later(3);
    const client = fixture.client();
    await expect(client.login("anna", anna.l)).rejects.toMatchObject({ code: "code-required" });
    const { token } = await client.login("anna", anna.l, code());
    expect((await fixture.client(token).me()).account).toBe("anna");
  });

  test("a new password needs a code too", async () => {
    later(3);
    const { administration } = fixture;
    const [keys] = await administration.keysDocuments("anna");
    const request = {
      kdf: { suite: 1 as const, iterations: 600_000, salt: randomBytes(32).toString("base64") },
      l: randomBytes(24).toString("base64"),
      keysDocuments: [keys],
    };
    await expect(administration.changePassword("anna", request)).rejects.toMatchObject({
      code: "code-required",
    });
    // With a code it goes on to what is wrong with this one.
    await expect(
      administration.changePassword("anna", { ...request, code: code() }),
    ).rejects.not.toMatchObject({
      code: "code-required",
    });
  });

  test("after ten wrong codes in a row codes wait, longer each time; recovery codes do not", async () => {
    later(3);
    for (let n = 0; n < 10; n++) expect(await login("abcdef")).toContain("wrong");
    expect(await login(code())).toContain("30 s");
    expect(await login(recovery[1])).toBe("in");
    monotonic += 30_000;
    expect(await login("abcdef")).toContain("wrong");
    expect(await login(code())).toContain("60 s");
    monotonic += 60_000;
    expect(await login(code())).toBe("in");
    later();
    expect(await login("abcdef")).toContain("wrong");
    expect(await login(code(1))).toBe("in");
  });

  test("the secret is nowhere in the clear, and comes back with the catalog", () => {
    const { dataDir, catalog } = fixture.gateway;
    const { identity } = dataDir;
    const owner = { id: identity.id, secret: Buffer.from(identity.secret, "base64") };
    const part = parseGatewayPart(
      exportGatewayPart(identity, catalog, "ab".repeat(16), undefined),
      identity.id,
    );
    const row = part.accounts[0]?.totp;
    expect(openTotpSecret(owner, anna.id, row?.secret ?? "")).toEqual(secret);
    expect(() => openTotpSecret(owner, "00".repeat(16), row?.secret ?? "")).toThrow();
    expect(row?.recovery).toHaveLength(8);
    expect(readFileSync(`${fixture.path}/catalog/data.mdb`).includes(secret)).toBe(false);
  });

  test("disabled, it is asked for no more", async () => {
    await fixture.administration.totp.disable("anna");
    expect(await login()).toBe("in");
    await expect(fixture.administration.totp.disable("anna")).rejects.toThrow("no codes");
  });
});
