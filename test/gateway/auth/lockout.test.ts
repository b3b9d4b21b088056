// What an attacker with wrong passwords cannot do: keep others out. All addresses are the loopback's own.

import { randomBytes } from "node:crypto";
import { Agent, request as httpsRequest } from "node:https";
import { connect, type TLSSocket } from "node:tls";
import { afterAll, beforeAll, expect, test } from "vitest";
import { AuditAdministration } from "../../../gateway/admin/auditOperations.ts";
import { PresentedPassword } from "../../../gateway/auth/presentedPassword.ts";
import { ErrorCode, isHoldfastError } from "../../../vault/errors.ts";
import { GatewayFixture, type TestAccount, type TestDevice } from "../gatewayFixture.ts";

let fixture: GatewayFixture;
let anna: TestAccount;
let device: TestDevice;

beforeAll(async () => {
  fixture = await GatewayFixture.create();
  anna = await fixture.account("anna");
  device = await fixture.device(anna, "laptop");
});
afterAll(async () => {
  await fixture.remove();
});

type Answer = { readonly status: number; readonly closes: boolean };

function ask(
  from: string,
  options: { l?: Buffer; token?: string; agent?: Agent; path?: string } = {},
): Promise<Answer> {
  const { l, token, agent, path } = options;
  const body = l === undefined ? "" : JSON.stringify({ account: "anna", l: l.toString("base64") });
  return new Promise((resolve, reject) => {
    const request = httpsRequest(
      {
        ...{ host: "127.0.0.1", port: fixture.listening.port, localAddress: from, rejectUnauthorized: false },
        ...{ agent: agent ?? false, method: l === undefined ? "GET" : "POST" },
        path: path ?? (l === undefined ? "/v1/me" : "/v1/login"),
        headers: {
          ...(l !== undefined && { "content-type": "application/json", "content-length": body.length }),
          ...(token !== undefined && { authorization: `Bearer ${token}` }),
        },
      },
      (response) => {
        response.resume();
        response.on("end", () =>
          resolve({ status: response.statusCode ?? 0, closes: response.headers.connection === "close" }),
        );
      },
    );
    request.on("error", reject);
    request.end(body);
  });
}

const wrong = (from: string, agent?: Agent) => ask(from, { l: randomBytes(24), ...(agent && { agent }) });

test("while one address tries passwords, the owner logs in from another, and a device's token works from that very address", async () => {
  const kept = new Agent({ keepAlive: true, maxSockets: 4 });
  const hammering = new AbortController();
  const statuses = new Map<number, number>();
  const hammer = async (agent?: Agent): Promise<void> => {
    while (!hammering.signal.aborted) {
      const { status, closes } = await wrong("127.0.0.2", agent);
      statuses.set(status, (statuses.get(status) ?? 0) + 1);
      expect([status, closes]).toEqual([status, true]);
    }
  };
  const attack = Promise.all([...Array(4).keys()].map((n) => hammer(n % 2 === 0 ? kept : undefined)));
  while ((statuses.get(429) ?? 0) < 50) await new Promise((resolve) => setTimeout(resolve, 10));
  expect(await ask("127.0.0.3", { l: anna.l })).toMatchObject({ status: 200 });
  expect(await ask("127.0.0.2", { token: device.token })).toMatchObject({ status: 200 });
  // A password from the attacker's own address has to wait, like his.
  expect((await ask("127.0.0.2", { l: anna.l })).status).toBe(429);
  hammering.abort();
  await attack;
  kept.destroy();
  const { entries } = await new AuditAdministration(fixture.gateway).list({
    after: 0,
    limit: 1000,
    event: "login",
  });
  const refused = entries.filter(({ event }) => event !== "login.accepted");
  // All of it is in the log, but not each as a line.
  expect(refused.length).toBeLessThanOrEqual(20);
  expect(new Set(refused.map(({ address }) => address))).toEqual(new Set(["127.0.0.2"]));
});

test("connections are closed that send many requests before the first is answered", async () => {
  const socket: TLSSocket = connect({
    port: fixture.listening.port,
    host: "127.0.0.1",
    rejectUnauthorized: false,
  });
  const closed = new Promise((resolve) => socket.once("close", resolve));
  socket.on("error", () => undefined);
  socket.resume();
  const body = JSON.stringify({ account: "anna", l: randomBytes(24).toString("base64") });
  socket.write(
    `POST /v1/login HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n${body}`.repeat(
      20,
    ),
  );
  await closed;
});

test("an account's lists count for logins, tokens and app passwords, and a wrong address looks like a wrong password", async () => {
  const { gateway, administration } = fixture;
  const kept = new Agent({ keepAlive: true, maxSockets: 1 });
  expect(await ask("127.0.0.5", { token: device.token, agent: kept })).toEqual({
    status: 200,
    closes: false,
  });
  await administration.setAccess("anna", { allow: ["127.0.0.3", "127.0.0.4/32"], deny: ["127.0.0.4"] });
  expect((await ask("127.0.0.3", { l: anna.l })).status).toBe(200);
  expect((await ask("127.0.0.4", { l: anna.l })).status).toBe(401);
  expect((await ask("127.0.0.3", { token: device.token })).status).toBe(200);
  expect(await ask("127.0.0.5", { token: device.token, agent: kept })).toEqual({ status: 403, closes: true });
  const { password } = await administration.addAppPassword("anna", { label: "" });
  const show = (from: string): string => {
    try {
      return gateway.appPasswords.authenticate(new PresentedPassword("anna", password), from).account.name;
    } catch (error) {
      return isHoldfastError(error) ? error.code : "?";
    }
  };
  expect([show("127.0.0.3"), show("127.0.0.5")]).toEqual(["anna", ErrorCode.forbidden]);
  await expect(administration.setAccess("anna", { allow: ["here"], deny: [] })).rejects.toThrow("here");
  const audit = new AuditAdministration(gateway);
  const refused = (await audit.list({ after: 0, limit: 100, event: "address.refused" })).entries;
  expect(refused.map(({ address }) => address)).toEqual(["127.0.0.4", "127.0.0.5"]);
  await administration.setAccess("anna", null);
  kept.destroy();
  expect((await ask("127.0.0.5", { token: device.token })).status).toBe(200);
});

test("from however many addresses they come, who is known from an address goes first there", async () => {
  // The owner was seen at 127.0.0.3. More try at once than may wait.
  const answers: number[] = [];
  for (let n = 0; n < 120; n++) {
    void wrong(`127.1.${n >> 4}.${(n % 16) + 1}`).then(
      ({ status }) => answers.push(status),
      // When the gateway stops, most of them still wait.
      () => undefined,
    );
  }
  while (!answers.includes(503)) await new Promise((resolve) => setTimeout(resolve, 5));
  const before = answers.filter((status) => status === 401).length;
  expect(await ask("127.0.0.3", { l: anna.l })).toMatchObject({ status: 200 });
  // Of the 64 that wait no more were first than the one under way, and what came in while ours was on its way.
  expect(answers.filter((status) => status === 401).length - before).toBeLessThan(32);
});
