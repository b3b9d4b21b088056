// Agents and gateways of different versions: what both know is spoken, and where there is nothing, who is to be upgraded is said.

import { createServer } from "node:https";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, expect, test } from "vitest";
import { DefinitionsClient } from "../../ingest/client/definitionsClient.ts";
import { GatewayClient } from "../../ingest/client/gatewayClient.ts";
import { Spoken } from "../../ingest/client/spoken.ts";
import { protocolHeader } from "../../ingest/wire/protocol.ts";
import { ErrorCode, HoldfastError } from "../../vault/errors.ts";
import { GatewayFixture, type TestDevice } from "./gatewayFixture.ts";

let fixture: GatewayFixture;
let device: TestDevice;
const closers: (() => void)[] = [];

beforeAll(async () => {
  fixture = await GatewayFixture.create();
  device = await fixture.device(await fixture.account("anna"), "laptop");
});
afterAll(async () => {
  for (const close of closers) close();
  await fixture.remove();
});

function client(url: string, protocols?: readonly number[]): GatewayClient {
  const { fingerprint } = fixture;
  const made = new GatewayClient({
    ...{ url, fingerprint, token: device.token, triesMax: 1 },
    ...(protocols !== undefined && { protocols }),
  });
  closers.push(() => made.close());
  return made;
}

/** A gateway that speaks these versions; keeps what it was asked in. */
async function gatewayOf(protocols: readonly string[]): Promise<{ url: string; asked: string[] }> {
  const { certificate: cert, key } = fixture.gateway.dataDir.tls;
  const asked: string[] = [];
  const server = createServer({ cert, key }, async (request, response) => {
    await request.toArray();
    const version = String(request.headers[protocolHeader]);
    asked.push(version);
    const serves = protocols.includes(version);
    const error = { code: "unsupported", message: "planted", detail: { protocols } };
    const items = { items: [] };
    response.writeHead(serves ? 200 : 400, { "content-type": "application/json" });
    response.end(
      JSON.stringify(
        serves ? { name: "other", version: "9.9.9", protocols: protocols.map(Number), ...items } : { error },
      ),
    );
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  closers.push(
    () => server.closeAllConnections(),
    () => void server.close(),
  );
  return { url: `https://127.0.0.1:${(server.address() as AddressInfo).port}`, asked };
}

test("a newer agent speaks what its gateway knows, from its first refusal on", async () => {
  const newer = client(fixture.listening.url, [2, 1]);
  expect(await newer.hello()).toMatchObject({ protocols: [1] });
  expect(await newer.putItem("files")).toMatchObject({ name: "files", sequence: 0 });
});

test("a newer gateway that serves the version before is asked in that one, and one that does not is told from an older one", async () => {
  const both = await gatewayOf(["1", "2"]);
  const old = client(both.url);
  expect((await old.hello()).version).toBe("9.9.9");
  expect(both.asked).toEqual(["1"]);
  const newest = client(both.url, [3, 2]);
  await newest.hello();
  await newest.hello();
  expect(both.asked).toEqual(["1", "3", "2", "2"]);

  const far = await gatewayOf(["2", "3"]);
  await expect(client(far.url).hello()).rejects.toMatchObject({
    ...{ code: ErrorCode.unsupported, next: "Upgrade Holdfast on this machine." },
    message: `the gateway at ${far.url} speaks protocol 2, 3, this program 1: this program is too old`,
  });
  expect(far.asked).toEqual(["1"]);
  const definitions = new DefinitionsClient({
    url: far.url,
    fingerprint: fixture.fingerprint,
    token: device.token,
  });
  closers.push(() => definitions.close());
  await expect(definitions.definitions(null, new AbortController().signal)).rejects.toMatchObject({
    next: "Upgrade Holdfast on this machine.",
  });
  await expect(client(fixture.listening.url, [3, 2]).hello()).rejects.toMatchObject({
    ...{
      code: ErrorCode.unsupported,
      next: "Upgrade the gateway.",
      message: expect.stringContaining("the gateway is too old"),
    },
  });
});

test("an agent of before, which knows nothing of this, prints what the gateway says", async () => {
  const { fetchJson } = await import("./fetchJson.ts");
  for (const [asked, next] of [
    ["0", "Upgrade the agent, or whatever asks."],
    ["2", "Upgrade the gateway."],
    ["x".repeat(100), "Upgrade the agent, or whatever asks."],
  ] as const) {
    const { status, body } = await fetchJson(`${fixture.listening.url}/v1/hello`, {
      [protocolHeader]: asked,
    });
    expect({ status, body }).toMatchObject({
      status: 400,
      body: { error: { code: "unsupported", next, detail: { protocols: ["1"] } } },
    });
  }
});

test("what is no refusal of the version is left alone; nonsense names nobody as newer", () => {
  const spoken = new Spoken([2, 1]);
  const plain = new HoldfastError(ErrorCode.unsupported, "a feature");
  expect([spoken.heed(plain, "x"), spoken.heed(new Error("other"), "x"), spoken.version]).toEqual([
    false,
    false,
    2,
  ]);
  for (const protocols of [[], ["x"], ["-1"], ["1e400"]]) {
    const refusal = new HoldfastError(ErrorCode.unsupported, "planted", { detail: { protocols } });
    expect(() => spoken.heed(refusal, "x"), String(protocols)).toThrow("the gateway is too old");
  }
});
