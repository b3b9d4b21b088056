import { EventEmitter } from "node:events";
import type { Socket } from "node:net";
import { PassThrough } from "node:stream";
import { expect, test } from "vitest";
import { ConnectionPace } from "../../../gateway/api/connectionPace.ts";
import { ConnectionShare } from "../../../gateway/api/connectionShare.ts";
import { Suspects } from "../../../gateway/auth/suspects.ts";

test("strikes are forgiven with time, and a source is its network", () => {
  let now = 0;
  const suspects = new Suspects(() => now);
  for (let n = 0; n < 20; n++) suspects.strike("2001:db8::1");
  expect(suspects.isSuspect("2001:db8::1")).toBe(false);
  suspects.strike("2001:db8::2");
  expect(suspects.isSuspect("2001:db8::77")).toBe(true);
  expect(suspects.isSuspect("2001:db8:0:1::1")).toBe(false);
  now += 3000;
  expect(suspects.isSuspect("2001:db8::1")).toBe(false);
  for (let n = 0; n < 1000; n++) suspects.strike("192.0.2.1");
  now += 61_000;
  expect(suspects.isSuspect("192.0.2.1")).toBe(false);
});

test("only suspect sources wait, each for its own turn; what is too much is closed, and who gave up costs no turn", () => {
  let now = 0;
  const pace = new ConnectionPace(
    (address) => address.startsWith("6."),
    () => now,
  );
  const admitted: string[] = [];
  const sockets: PassThrough[] = [];
  const take = (address: string): void => {
    const socket = new PassThrough();
    sockets.push(socket);
    pace.take(socket as unknown as Socket, address, () => admitted.push(address));
  };
  for (let n = 0; n < 200; n++) take("6.6.6.6");
  expect(admitted).toHaveLength(30);
  expect(sockets.filter(({ destroyed }) => destroyed)).toHaveLength(200 - 30 - 64);
  take("1.1.1.1");
  take("6.6.6.7");
  expect(admitted.slice(30)).toEqual(["1.1.1.1", "6.6.6.7"]);
  sockets[30]?.destroy();
  now += 101;
  pace.run();
  expect(admitted).toHaveLength(35);
  now += 60_000;
  pace.run();
  expect(admitted).toHaveLength(65);
  pace.close();
  expect(sockets.filter(({ destroyed }) => destroyed).length).toBeGreaterThan(200 - 30 - 64);
});

test("one source cannot take all connections from the others, and gets its own back when they close", () => {
  const share = new ConnectionShare(64);
  const open = (address: string, count: number): EventEmitter[] =>
    Array.from({ length: count }, () => new EventEmitter()).filter((socket) =>
      share.take(socket as unknown as Socket, address),
    );
  // Nobody else is there.
  const hers = open("6.6.6.6", 80);
  expect(hers).toHaveLength(60);
  expect(open("1.1.1.1", 4)).toHaveLength(4);
  expect(open("6.6.6.6", 1)).toHaveLength(0);
  for (const socket of hers.slice(0, 50)) socket.emit("close");
  // It has 10 left of the 16 that nobody takes from it, and 14 are open in all.
  expect(open("6.6.6.6", 80)).toHaveLength(46);
  expect(open("2001:db8::1", 20)).toHaveLength(16);
  expect(open("2001:db8::2", 1)).toHaveLength(0);
});
