// A home that does not answer yet: a box that is being started while the directory sends its agents there.

import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Server } from "node:net";
import { afterAll, beforeAll, expect, onTestFinished, test } from "vitest";
import { movedTo } from "../../../agent/home/followHome.ts";
import type { Enrollment } from "../../../agent/state/enrollment.ts";
import { ErrorCode } from "../../../vault/errors.ts";
import { SigningKey } from "../../../vault/keys/signature.ts";
import { signHomeRecord } from "../../../vault/seed/homeRecord.ts";
import { GatewayFixture } from "../../gateway/gatewayFixture.ts";
import { seededBytes } from "../../vault/seeded.ts";

const key = new SigningKey(seededBytes("directory", 32));
const [directory, account, device] = ["11", "33", "44"].map((byte) => byte.repeat(16)) as [
  string,
  string,
  string,
];
const fingerprint = `SHA256:${"11".repeat(32)}`;
const enrollment: Enrollment = {
  format: "holdfast-agent",
  version: 1,
  gateway: { url: "https://dc.example:7440", fingerprint },
  account: { id: account, name: "anna" },
  device: { id: device, name: "laptop", group: 1 },
  vault: "55".repeat(16),
  kdfIterations: 600_000,
  privateKey: "",
  token: "t",
  enrolled: "2026-11-25T22:00:00Z",
  directory: { id: directory, urls: ["https://dc.example:7440"], fingerprint, signer: key.publicKey },
};

let fixture: GatewayFixture;

beforeAll(async () => {
  fixture = await GatewayFixture.create();
});
afterAll(() => fixture.remove());

function recordOf(url: string, atHome = fixture.fingerprint): string {
  const home = { gateway: "22".repeat(16), name: "box 7", urls: [url], fingerprint: atHome };
  const record = {
    account,
    generation: 3,
    time: "2026-11-25T22:00:00Z",
    directory: { id: directory, signer: key.publicKey },
    home: { gateway: directory, name: "dc", urls: [], fingerprint },
    devices: [{ device, home }],
  };
  return signHomeRecord(record, key).toString();
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
  const moving = movedTo(recordOf(url), enrollment, { line: undefined, triesMax: 20 });
  setTimeout(open, 600);
  expect((await moving).gateway).toEqual({ url, fingerprint: fixture.fingerprint });
});

test("is given up after as many tries as are wanted, and at once when the command is stopped", async () => {
  const { url } = await closedDoor();
  const record = recordOf(url);
  await expect(movedTo(record, enrollment, { line: undefined, triesMax: 2 })).rejects.toMatchObject({
    code: ErrorCode.gatewayUnreachable,
    message: expect.stringContaining("box 7, which does not answer"),
  });
  const stop = new AbortController();
  const moving = movedTo(record, enrollment, { line: undefined, triesMax: 1000, signal: stop.signal });
  setTimeout(() => stop.abort(), 300);
  await expect(moving).rejects.toMatchObject({ code: ErrorCode.cancelled });
});

test("is not asked again where another gateway answers in its place", async () => {
  const record = recordOf(fixture.listening.url, `SHA256:${"22".repeat(32)}`);
  await expect(movedTo(record, enrollment, { line: undefined, triesMax: 1000 })).rejects.toThrow(
    /is another gateway/,
  );
});
