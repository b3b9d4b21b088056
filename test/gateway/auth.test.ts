import { randomBytes } from "node:crypto";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { LoginThrottle, networkOf } from "../../gateway/auth/loginThrottle.ts";
import { LoginTokens } from "../../gateway/auth/loginTokens.ts";
import { PasswordHasher } from "../../gateway/auth/passwordHash.ts";
import { tokenHash } from "../../gateway/auth/tokens.ts";
import { deriveLogin } from "../../vault/keys/kdf.ts";
import { openWithPassword, parseKeysDocument, withPassword } from "../../vault/keys/keysDocument.ts";
import { GatewayFixture, type TestAccount } from "./gatewayFixture.ts";

let fixture: GatewayFixture;
let anna: TestAccount;
let now = 0;

beforeAll(async () => {
  fixture = await GatewayFixture.create({ monotonicMs: () => now });
  anna = await fixture.account("anna");
});
afterAll(async () => {
  await fixture.remove();
});

test("bcrypt sees all 64 bytes, zeros among them", async () => {
  const hasher = new PasswordHasher(4);
  const l = randomBytes(24);
  const hash = await hasher.hash(l);
  expect(hash).toMatch(/^\$2[aby]\$04\$/);
  expect(await hasher.verify(l, hash)).toBe(true);
  const other = Buffer.from(l);
  other[23]! ^= 1;
  expect(await hasher.verify(other, hash)).toBe(false);
  await hasher.close();
});

test("after a wrong password on a busy machine others wait a while, but not who is known", async () => {
  const l = randomBytes(24);
  const slow = new PasswordHasher(11, () => true);
  const quick = new PasswordHasher(4);
  const [slowHash, quickHash] = [await slow.hash(l), await quick.hash(l)];
  const ended: string[] = [];
  const verify = async (name: string, known: boolean, wrong = false): Promise<void> => {
    const right = await slow.verify(wrong ? randomBytes(24) : l, wrong ? slowHash : quickHash, {
      name,
      known,
    });
    expect(right).toBe(!wrong);
    ended.push(name);
  };
  await verify("guesser", false, true);
  const stranger = verify("stranger", false);
  await verify("friend", true);
  await stranger;
  expect(ended).toEqual(["guesser", "friend", "stranger"]);
  // A right password is no reason to rest.
  await verify("newcomer", false);
  await Promise.all([slow.close(), quick.close()]);
});

test("a rest that is longer than an idle worker is kept leaves nobody waiting", async () => {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
  try {
    const l = randomBytes(24);
    // A hash of five seconds on a very busy machine: others wait for 20.
    const hasher = new PasswordHasher(4, (answer) => Object.assign(answer, { tookMs: 5000 }).tookMs > 0);
    const hash = await hasher.hash(l);
    expect(await hasher.verify(randomBytes(24), hash, { name: "guesser", known: false })).toBe(false);
    let answer: boolean | undefined;
    const stranger = hasher.verify(l, hash, { name: "stranger", known: false }).then((right) => {
      answer = right;
    });
    await vi.advanceTimersByTimeAsync(19_000);
    expect(answer).toBeUndefined();
    await vi.advanceTimersByTimeAsync(2_000);
    await stranger;
    expect(answer).toBe(true);
    await hasher.close();
  } finally {
    vi.useRealTimers();
  }
});

test("the right L logs in, a wrong one and an unknown account answer alike", async () => {
  const client = fixture.client();
  const { token, accountId } = await client.login("anna", anna.l);
  expect(accountId).toBe(anna.id);
  expect((await client.withToken(token).me()).vaults).toEqual([{ id: anna.vault, name: "main" }]);
  const answers = await Promise.all(
    ["anna", "nobody"].map((name) =>
      client
        .login(name, randomBytes(24))
        .catch((error: { code: string; message: string }) => [error.code, error.message]),
    ),
  );
  expect(answers[0]).toEqual(answers[1]);
  expect(answers[0]).toContain("auth-failed");
});

test("an unknown account has a salt, always the same one, and no other's", async () => {
  const client = fixture.client();
  const salt = async (name: string) => (await client.kdf(name)).salt;
  expect(await salt("nobody")).toBe(await salt("nobody"));
  expect(await salt("nobody")).not.toBe(await salt("no-one"));
  expect(Buffer.from(await salt("nobody"), "base64").length).toBe(32);
  expect(await client.kdf("nobody")).toMatchObject({
    suite: 1,
    iterations: (await client.kdf("anna")).iterations,
  });
  const before = await salt("nobody");
  await fixture.stop();
  await fixture.start();
  expect(
    await fixture
      .client()
      .kdf("nobody")
      .then((kdf) => kdf.salt),
  ).toBe(before);
});

test("login tokens are bounded per account, the oldest go first", () => {
  const tokens = new LoginTokens(() => 0);
  const issued = Array.from({ length: 70 }, () => tokens.issue("a"));
  const valid = issued.map((token) => tokens.account(tokenHash(token)) === "a");
  expect(valid.filter(Boolean).length).toBe(64);
  expect(valid.slice(-64).every(Boolean)).toBe(true);
  tokens.revokeAll("a");
  expect(issued.some((token) => tokens.account(tokenHash(token)) !== undefined)).toBe(false);
});

test("tokens expire by the monotonic clock", async () => {
  const client = fixture.client();
  const { token } = await client.login("anna", anna.l);
  now += 14 * 60_000;
  expect((await client.withToken(token).me()).account).toBe("anna");
  now += 2 * 60_000;
  await expect(client.withToken(token).me()).rejects.toMatchObject({ code: "token-invalid" });
});

test("guessing is slowed down, and only where it comes from", async () => {
  let clock = 0;
  const throttle = new LoginThrottle(() => clock);
  const guess = (account: string, address: string, right = false) =>
    throttle
      .run(account, address, async () => right)
      .then(
        (answer) => (answer ? "in" : "wrong"),
        (error: { code: string }) => error.code,
      );
  const answers: string[] = [];
  for (let i = 0; i < 7; i++) answers.push(await guess("anna", "10.0.0.1"));
  expect(answers).toEqual([...Array(5).fill("wrong"), "auth-throttled", "auth-throttled"]);
  // The owner at another address is not touched, nor another account at the guesser's address.
  expect(await guess("anna", "10.0.0.2", true)).toBe("in");
  expect(await guess("bert", "10.0.0.1", true)).toBe("in");
  clock += 2001;
  expect(await guess("anna", "10.0.0.1")).toBe("wrong");
  clock += 2001;
  expect(await guess("anna", "10.0.0.1")).toBe("auth-throttled");
  clock += 2001;
  expect(await guess("anna", "10.0.0.1", true)).toBe("in");
  for (let i = 0; i < 4; i++) expect(await guess("anna", "10.0.0.1")).toBe("wrong");
  // One address that tries many accounts is slowed down as a whole.
  const spray: string[] = [];
  for (let i = 0; i < 30; i++) spray.push(await guess(`user${i}`, "10.0.0.9"));
  expect(spray.filter((answer) => answer === "wrong").length).toBe(20);
});

test("an IPv6 network counts as one source", () => {
  expect(networkOf("2001:db8:1:2:3::9")).toBe(networkOf("2001:db8:1:2:ffff:1:2:3"));
  expect(networkOf("2001:db8::1")).not.toBe(networkOf("2001:db8:0:1::1"));
  expect(networkOf("::ffff:10.1.2.3")).toBe("10.1.2.3");
  expect(networkOf("::1")).toBe("0:0:0:0::/64");
});

test("over the wire: too many failures answer 429 with Retry-After", async () => {
  const client = fixture.client();
  let last: { code?: string; detail?: Record<string, unknown> } = {};
  for (let i = 0; i < 8; i++) {
    last = await client.login("victim", randomBytes(24)).then(
      () => ({}),
      (error: typeof last) => error,
    );
  }
  expect(last.code).toBe("auth-throttled");
  expect(last.detail?.retryAfterSeconds).toBeGreaterThan(0);
  now += 3600_000;
  expect((await client.login("anna", anna.l)).accountId).toBe(anna.id);
});

test("a new password: old L fails, new L logs in, new R opens, tokens of before are void", async () => {
  const client = fixture.client();
  const before = client.withToken((await client.login("anna", anna.l)).token);
  const salt = randomBytes(32);
  const kdf = { suite: 1 as const, iterations: 210_000, salt };
  const { l, r } = await deriveLogin("new password", kdf);
  const [document] = await fixture.administration.keysDocuments("anna");
  const changed = withPassword(document!, anna.opened.e, r, kdf);
  const request = {
    kdf: { ...kdf, salt: salt.toString("base64") },
    l: l.toString("base64"),
    keysDocuments: [changed],
  };
  await expect(
    fixture.administration.changePassword("anna", { ...request, keysDocuments: [] }),
  ).rejects.toMatchObject({ code: "usage" });
  await fixture.administration.changePassword("anna", request);
  await expect(before.me()).rejects.toMatchObject({ code: "token-invalid" });
  await expect(client.login("anna", anna.l)).rejects.toMatchObject({ code: "auth-failed" });
  const person = client.withToken((await client.login("anna", l)).token);
  const opened = openWithPassword(parseKeysDocument(await person.keysDocument(anna.vault)), r);
  expect(opened.secrets.s).toEqual(anna.opened.secrets.s);
  await expect(fixture.administration.changePassword("anna", request)).rejects.toMatchObject({
    code: "sequence-conflict",
  });
});

test("weak KDF settings are refused for accounts", async () => {
  const { newAccount } = await import("./gatewayFixture.ts");
  const { request } = newAccount("weak");
  await expect(
    fixture.administration.addAccount({ ...request, kdf: { ...request.kdf, iterations: 1000 } }),
  ).rejects.toMatchObject({ code: "kdf-weak" });
});
