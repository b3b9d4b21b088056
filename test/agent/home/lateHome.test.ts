// A home that does not answer yet: a box that is being started while the directory sends its agents there.

import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Server } from "node:net";
import { afterAll, beforeAll, expect, onTestFinished, test } from "vitest";
import { movedTo } from "../../../agent/home/followHome.ts";
import { ErrorCode } from "../../../vault/errors.ts";
import { GatewayFixture } from "../../gateway/gatewayFixture.ts";
import { box, device, enrolled, signed } from "./homeRecords.ts";

let fixture: GatewayFixture;

beforeAll(async () => {
  fixture = await GatewayFixture.create();
});
afterAll(() => fixture.remove());

/** A record by which the device's home is at this address. */
function recordOf(url: string, fingerprint = fixture.fingerprint): string {
  return signed(3, { devices: [{ device, home: { ...box, urls: [url], fingerprint } }] });
}

/** A port at which the gateway answers from when `open` is called. */
async function closedDoor(): Promise<{ readonly url: string; readonly open: () => void }> {
  const door: Server = createServer((inner) => {
    const outer = connect(Number(new URL(fixture.listening.url).port), "127.0.0.1");
    inner.pipe(outer).pipe(inner);
    for (const socket of [inner, outer]) socket.on("error", () => undefined);
  });
  door.listen(0, "127.0.0.1");
  await once(door, "listening");
  const { port } = door.address() as AddressInfo;
  door.close();
  await once(door, "close");
  onTestFinished(() => void door.close());
  return { url: `https://127.0.0.1:${port}`, open: () => void door.listen(port, "127.0.0.1") };
}

test("is tried again until it answers", async () => {
  const { url, open } = await closedDoor();
  const moving = movedTo(recordOf(url), enrolled(), { line: undefined, triesMax: 20 });
  setTimeout(open, 600);
  expect((await moving).gateway).toEqual({ url, fingerprint: fixture.fingerprint });
});

test("is given up after as many tries as are wanted, and at once when the command is stopped", async () => {
  const { url } = await closedDoor();
  const record = recordOf(url);
  await expect(movedTo(record, enrolled(), { line: undefined, triesMax: 2 })).rejects.toMatchObject({
    code: ErrorCode.gatewayUnreachable,
    message: expect.stringContaining("box 7, which does not answer"),
  });
  const stop = new AbortController();
  const moving = movedTo(record, enrolled(), { line: undefined, triesMax: 1000, signal: stop.signal });
  setTimeout(() => stop.abort(), 300);
  await expect(moving).rejects.toMatchObject({ code: ErrorCode.cancelled });
});

test("is not asked again where another gateway answers in its place", async () => {
  const record = recordOf(fixture.listening.url, `SHA256:${"22".repeat(32)}`);
  await expect(movedTo(record, enrolled(), { line: undefined, triesMax: 1000 })).rejects.toThrow(
    /is another gateway/,
  );
});
