// Bodies over a real connection go and come at the rate of the line, by a clock that moves where somebody waits.

import { once } from "node:events";
import { createServer, type Server } from "node:https";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, expect, test } from "vitest";
import { createCertificate } from "../../../gateway/certificate.ts";
import { type Connection, readBody, send } from "../../../ingest/client/exchange.ts";
import { fingerprintOf } from "../../../ingest/client/fingerprint.ts";
import { PinnedAgent } from "../../../ingest/client/pinnedAgent.ts";
import type { Line } from "../../../ingest/line/line.ts";
import { RateLimiter } from "../../../ingest/line/rateLimiter.ts";
import { RateTable } from "../../../ingest/line/rateTable.ts";
import { seededBytes } from "../../vault/seeded.ts";

let server: Server;
let fingerprint: string;
const bytes = seededBytes("paced", 3_000_000);
let received = Buffer.alloc(0);

beforeAll(async () => {
  const { certificate, key } = await createCertificate("paced", [], new Date());
  server = createServer({ cert: certificate, key }, (request, response) => {
    const pieces: Buffer[] = [];
    // One is broken off.
    request.on("error", () => undefined);
    request.on("data", (piece: Buffer) => pieces.push(piece));
    request.on("end", () => {
      received = Buffer.concat(pieces);
      response.end(request.method === "GET" ? bytes : undefined);
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  fingerprint = fingerprintOf(certificate);
});
afterAll(() => {
  server.closeAllConnections();
  server.close();
});

class Clock {
  ms = 0;
  readonly wallMs = (): number => this.ms;
  readonly monotonicMs = (): number => this.ms;
  readonly sleep = async (milliseconds: number): Promise<void> => {
    await new Promise((resolve) => setImmediate(resolve));
    this.ms += milliseconds;
  };
}

async function exchange(method: "GET" | "PUT", line: Line, signal?: AbortSignal): Promise<Buffer> {
  const agent = new PinnedAgent({ fingerprint, socketsMax: 1, connectTimeoutMs: 15_000 });
  const url = new URL(`https://localhost:${(server.address() as AddressInfo).port}`);
  const connection: Connection = { agent, url, token: undefined, line };
  try {
    const binary = method === "PUT" ? [bytes.subarray(0, 10), bytes.subarray(10)] : [];
    const response = await send(connection, { method, path: "/", binary, signal });
    return await readBody(response, signal, undefined, line.downloads);
  } finally {
    agent.destroy();
  }
}

test.each(["1MB", "100KB"])("a body goes at %s a second, and one comes", async (rate) => {
  const perSecond = RateTable.parse(rate).lowest;
  const seconds = bytes.length / perSecond;
  const up = new Clock();
  await exchange("PUT", { uploads: new RateLimiter(RateTable.parse(rate), up) });
  expect(received.equals(bytes)).toBe(true);
  expect(up.ms / 1000 / seconds).toBeGreaterThan(0.8);
  expect(up.ms / 1000 / seconds).toBeLessThan(1.02);
  const down = new Clock();
  const came = await exchange("GET", { downloads: new RateLimiter(RateTable.parse(rate), down) });
  expect(came.equals(bytes)).toBe(true);
  expect(down.ms / 1000 / seconds).toBeGreaterThan(0.8);
  expect(down.ms / 1000 / seconds).toBeLessThan(1.02);
});

test("what waits for its turn can be stopped", async () => {
  const stop = new AbortController();
  const clock = new Clock();
  const uploads = new RateLimiter(RateTable.parse("10KB"), {
    wallMs: clock.wallMs,
    monotonicMs: clock.monotonicMs,
    sleep: async (milliseconds) => {
      if (clock.ms > 20_000) stop.abort();
      await clock.sleep(milliseconds);
    },
  });
  await expect(exchange("PUT", { uploads }, stop.signal)).rejects.toMatchObject({ code: "cancelled" });
});
