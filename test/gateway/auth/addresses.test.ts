// The gateway's own lists, on its listener: before TLS, on open connections after a reload, and behind a proxy.

import { appendFile, readFile, writeFile } from "node:fs/promises";
import { Agent, request as httpsRequest } from "node:https";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { AuditAdministration } from "../../../gateway/admin/auditOperations.ts";
import { GatewayFixture } from "../gatewayFixture.ts";

let fixture: GatewayFixture;
let usual: string;
const config = () => join(fixture.path, "config.toml");

beforeAll(async () => {
  fixture = await GatewayFixture.create();
  usual = (await readFile(config(), "utf8")).replaceAll(
    /^(allow|deny|trusted-proxies|log-level) = .*$/gm,
    "",
  );
});
afterAll(async () => {
  await fixture.remove();
});

async function lists(text: string): Promise<void> {
  await writeFile(config(), `${usual}log-level = "silent"\n`);
  await appendFile(config(), text);
  await fixture.gateway.reload();
}

/** The status, or the system's word for a connection that did not come about. */
function ask(
  from: string,
  { agent, headers = {}, path = "/v1/hello" }: { agent?: Agent; headers?: object; path?: string } = {},
) {
  return new Promise<number | string>((resolve) => {
    const request = httpsRequest(
      {
        ...{ host: "127.0.0.1", port: fixture.listening.port, localAddress: from, rejectUnauthorized: false },
        ...{ agent: agent ?? false, path, headers: { ...headers } },
      },
      (response) => {
        response.resume();
        response.on("end", () => resolve(response.statusCode ?? 0));
      },
    );
    request.on("error", (error: NodeJS.ErrnoException) => resolve(error.code ?? "?"));
    request.end();
  });
}

test("who may not connect is cut off before TLS, and on an open connection with the next request", async () => {
  const kept = new Agent({ keepAlive: true, maxSockets: 1 });
  expect(await ask("127.0.0.2", { agent: kept })).toBe(200);
  await lists('deny = ["127.0.0.2"]\n');
  expect(await ask("127.0.0.2", { agent: kept })).toBe(403);
  expect(await ask("127.0.0.2")).toBe("ECONNRESET");
  expect(await ask("127.0.0.3")).toBe(200);
  await lists('allow = ["127.0.0.3"]\n');
  expect(await ask("127.0.0.2")).toBe("ECONNRESET");
  expect(await ask("127.0.0.3")).toBe(200);
  await lists("");
  expect(await ask("127.0.0.2")).toBe(200);
  kept.destroy();
  const audit = new AuditAdministration(fixture.gateway);
  const refused = (await audit.list({ after: 0, limit: 100, event: "address.refused" })).entries;
  expect(refused.map(({ address, subject }) => [address, subject.method])).toEqual([
    ["127.0.0.2", "GET"],
    ["127.0.0.2", "connect"],
    ["127.0.0.2", "connect"],
  ]);
  const changed = (await audit.list({ after: 0, limit: 100, event: "settings" })).entries;
  expect(changed.map(({ subject }) => subject.keys)).toEqual([
    ["log-level", "deny"],
    ["allow", "deny"],
    ["allow"],
  ]);
});

test("behind a trusted proxy what it says counts, and what anybody else says does not", async () => {
  await lists('deny = ["192.0.2.0/24", "127.0.0.9"]\ntrusted-proxies = ["127.0.0.9"]\n');
  const from = (text: string) => ({ headers: { "x-forwarded-for": text } });
  expect(await ask("127.0.0.9", from("198.51.100.1"))).toBe(200);
  expect(await ask("127.0.0.9", from("198.51.100.1, 192.0.2.5"))).toBe(403);
  expect(await ask("127.0.0.9", from("192.0.2.5, 198.51.100.1"))).toBe(200);
  expect(await ask("127.0.0.8", from("192.0.2.5"))).toBe(200);
  await lists("");
});

test("a list that is none leaves the former ones", async () => {
  await lists('deny = ["127.0.0.2"]\n');
  await expect(lists('deny = ["127.0.0.300"]\n')).rejects.toThrow("127.0.0.300");
  expect(await ask("127.0.0.2")).toBe("ECONNRESET");
});
