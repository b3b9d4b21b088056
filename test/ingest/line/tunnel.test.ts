// Proxies that say no, lie, hang, or speak nonsense: each on a socket of its own.

import { once } from "node:events";
import * as net from "node:net";
import fc from "fast-check";
import { afterAll, beforeAll, expect, test } from "vitest";
import { HttpProxy } from "../../../ingest/line/proxies.ts";
import { openTunnel, TunnelFailed } from "../../../ingest/line/tunnel.ts";
import { ErrorCode, isHoldfastError } from "../../../vault/errors.ts";

let server: net.Server;
let asked = "";
/** What the proxy does when it was asked. */
let answer: (socket: net.Socket) => void = () => undefined;
const sockets = new Set<net.Socket>();

beforeAll(async () => {
  server = net.createServer((socket) => {
    sockets.add(socket);
    socket.on("error", () => undefined);
    socket.on("close", () => sockets.delete(socket));
    socket.once("data", (bytes) => {
      asked = bytes.toString();
      answer(socket);
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
});
afterAll(() => {
  for (const socket of sockets) socket.destroy();
  server.close();
});

function open(credentials = "", timeoutMs = 10_000): Promise<net.Socket> {
  const { port } = server.address() as net.AddressInfo;
  const proxy = HttpProxy.parse(`http://${credentials}127.0.0.1:${port}`, "");
  return openTunnel(proxy, { host: "backup.example", port: 7440 }, timeoutMs);
}

function says(text: string): void {
  answer = (socket) => socket.end(text);
}

test("bytes go both ways once it is open, and credentials are sent", async () => {
  answer = (socket) => {
    socket.write("HTTP/1.1 200 Connection established\r\nx: y\r\n\r\n");
    socket.on("data", (bytes) => socket.write(`${bytes} heard`));
  };
  const socket = await open("al:secret@");
  socket.write("hello");
  expect(String((await once(socket, "data"))[0])).toBe("hello heard");
  socket.destroy();
  expect(asked).toMatch(/^CONNECT backup\.example:7440 HTTP\/1\.1\r\n/);
  expect(asked.toLowerCase()).toContain("host: backup.example:7440\r\n");
  expect(asked).toContain(`roxy-authorization: Basic ${Buffer.from("al:secret").toString("base64")}\r\n`);
});

test.each([
  ["wants a password", "407 x\r\nProxy-Authenticate: Basic realm=a", "", /wants a name and password$/],
  [
    "takes another password",
    "407 x\r\nProxy-Authenticate: Basic realm=a",
    "al:secret@",
    /does not take the name and password/,
  ],
  [
    "knows other logins",
    "407 x\r\nProxy-Authenticate: Negotiate\r\nProxy-Authenticate: NTLM",
    "",
    /of another kind than Basic/,
  ],
  ["lets nobody through", "403 Forbidden", "", /it answers 403$/],
  ["knows no CONNECT", "405 x", "", /it answers 405$/],
])("one that %s is refused for good", async (_what, head, credentials, message) => {
  says(`HTTP/1.1 ${head}\r\nContent-Length: 4\r\n\r\nbody`);
  const error = await open(credentials).catch((thrown: unknown) => thrown);
  expect(error).toMatchObject({ code: ErrorCode.proxyRefused, message: expect.stringMatching(message) });
  expect(isHoldfastError(error) && error.next).toBeTruthy();
  expect(JSON.stringify(error)).not.toContain("secret");
});

test.each([
  ["cannot reach the host", "HTTP/1.1 503 x\r\n\r\n", /it answers 503$/],
  ["hangs up", "", /it hung up$/],
  ["hangs up in its answer", "HTTP/1.1 200 O", /opens no way/],
  ["speaks no HTTP", "SSH-2.0-OpenSSH_9\r\n", /its answer is no HTTP$/],
  ["speaks inside the way first", "HTTP/1.1 200 x\r\n\r\nbanner", /nobody asked for$/],
  ["has too long a head", `HTTP/1.1 200 x\r\na: ${"b".repeat(17_000)}\r\n\r\n`, /longer than 16384 bytes$/],
  [
    "has a head without an end",
    `HTTP/1.1 200 x\r\n${"a: b\r\n".repeat(200_000)}`,
    /longer than 16384 bytes$/,
  ],
])("one that %s may do better later", async (_what, text, message) => {
  says(text);
  await expect(open()).rejects.toThrow(message);
  await expect(open()).rejects.toBeInstanceOf(TunnelFailed);
});

test("one that hangs is given up, and one that is not there", async () => {
  answer = () => undefined;
  await expect(open("", 50)).rejects.toThrow(/did not answer within 0.05 s$/);
  const free = net.createServer().listen(0, "127.0.0.1");
  await once(free, "listening");
  const { port } = free.address() as net.AddressInfo;
  free.close();
  await once(free, "close");
  const gone = openTunnel(HttpProxy.parse(`127.0.0.1:${port}`, ""), { host: "h", port: 1 }, 10_000);
  await expect(gone).rejects.toThrow(/ECONNREFUSED/);
});

test("no answer does more than fail", async () => {
  const heads = fc.oneof(
    fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes)),
    fc
      .tuple(fc.integer({ min: 0, max: 999 }), fc.array(fc.string({ maxLength: 20 }), { maxLength: 5 }))
      .map(([status, lines]) => Buffer.from(`HTTP/1.1 ${status} x\r\n${lines.join("\r\n")}\r\n\r\n`)),
  );
  await fc.assert(
    fc.asyncProperty(heads, async (head) => {
      answer = (socket) => socket.end(head);
      try {
        (await open()).destroy();
        expect(head.toString("latin1")).toMatch(/^HTTP\/1\.\d 2\d\d/);
      } catch (error) {
        expect(error instanceof TunnelFailed || isHoldfastError(error, ErrorCode.proxyRefused)).toBe(true);
      }
    }),
    { numRuns: 200 },
  );
});
