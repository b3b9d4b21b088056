// Sockets that share the memory they read into: every answer has its own bytes, and what nobody asked for is no answer.

import { once } from "node:events";
import http from "node:http";
import { type AddressInfo, createServer, type Server, type Socket } from "node:net";
import { setImmediate as turn } from "node:timers/promises";
import { afterEach, expect, test } from "vitest";
import { readsIntoKeptMemory } from "../../../../gateway/replica/s3/socketReads.ts";

let server: Server;
let agent: http.Agent;
let sockets: Socket[];

/** A server that answers each request with what `answer` makes of its path. */
async function serve(answer: (path: string) => Buffer): Promise<void> {
  sockets = [];
  server = createServer((socket) => {
    sockets.push(socket);
    socket.on("error", () => undefined);
    socket.on("data", (bytes) => void socket.write(answer(/^GET (\S+)/.exec(bytes.toString("latin1"))![1]!)));
  });
  await once(server.listen(0, "127.0.0.1"), "listening");
  const options = { keepAlive: true, maxSockets: 8, onread: readsIntoKeptMemory() };
  agent = new http.Agent(options);
}
afterEach(async () => {
  agent.destroy();
  for (const socket of sockets) socket.destroy();
  server.close();
});

async function get(path: string, slowly = false): Promise<Buffer> {
  const { port } = server.address() as AddressInfo;
  const request = http.get({ host: "127.0.0.1", port, path, agent });
  const [message] = (await once(request, "response")) as [http.IncomingMessage];
  const pieces: Buffer[] = [];
  for await (const piece of message as AsyncIterable<Buffer>) {
    pieces.push(piece);
    if (slowly) for (let i = 0; i < 20; i++) await turn();
  }
  return Buffer.concat(pieces);
}

function withHead(body: Buffer): Buffer {
  return Buffer.concat([Buffer.from(`HTTP/1.1 200 OK\r\nContent-Length: ${body.length}\r\n\r\n`), body]);
}

const bodyOf = (path: string): Buffer => Buffer.alloc(3 * 2 ** 20 + 17, path);

test("answers that come side by side, and are read quickly or slowly, each have their own bytes", async () => {
  await serve((path) => withHead(bodyOf(path)));
  const paths = Array.from({ length: 16 }, (_, i) => `/object-${i}`);
  const all = await Promise.all(paths.map((path, i) => get(path, i % 2 === 0)));
  for (const [i, path] of paths.entries()) expect(all[i]!.equals(bodyOf(path)), path).toBe(true);
  expect(sockets.length, "connections are kept").toBeLessThanOrEqual(8);
});

test("what a server says unasked ends the connection, and is never the next answer", async () => {
  await serve((path) => withHead(Buffer.from(path)));
  expect(String(await get("/one"))).toBe("/one");
  await expect.poll(() => Object.keys(agent.freeSockets).length).toBe(1);
  sockets[0]!.write(withHead(Buffer.from("/forged")));
  await expect.poll(() => sockets[0]!.destroyed || sockets[0]!.readableEnded).toBe(true);
  await expect.poll(() => Object.keys(agent.freeSockets).length).toBe(0);
  expect(String(await get("/two"))).toBe("/two");
  expect(sockets).toHaveLength(2);
});
