// Datagrams to a service manager, received by a real socket.

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { allocateBlock, bindProcess } from "../../../agent/platform/libc.ts";
import { usesLibc } from "../../../agent/platform/select.ts";
import { serviceNotifier } from "../../../agent/platform/serviceNotify.ts";
import { watchedService } from "../../../appliance/service/watched.ts";

/** A datagram socket that is bound to a path, or to a name in no file system. */
function listen(name: string): () => string | undefined {
  const { socket, bind, recv, close } = bindProcess({
    socket: ["int", "int", "int", "int"],
    bind: ["int", "int", "uintptr_t", "uint"],
    recv: ["int64", "int", "uintptr_t", "uint64", "int"],
    close: ["int", "int"],
  });
  const descriptor = socket(1, 2, 0);
  const address = allocateBlock(110);
  address.view.setUint16(0, 1, true);
  address.bytes.write(name.replace(/^@/, "\0"), 2);
  expect(bind(descriptor, address.address, 2 + name.length)).toBe(0);
  onTestFinished(() => void close(descriptor));
  const message = allocateBlock(1000);
  return () => {
    const got = recv(descriptor, message.address, 1000, 0x40);
    return got < 0 ? undefined : message.bytes.toString("utf8", 0, got);
  };
}

function scratchPath(): string {
  const folder = mkdtempSync(join(tmpdir(), "holdfast-notify-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  return join(folder, "socket");
}

test.skipIf(!usesLibc())(
  "a service says that it is ready, alive and stopping, and its children are told nothing",
  async () => {
    for (const name of [scratchPath(), `@holdfast-test-${process.pid}`]) {
      const next = listen(name);
      const environment = {
        NOTIFY_SOCKET: name,
        WATCHDOG_USEC: "180000000",
        WATCHDOG_PID: String(process.pid),
        KEPT: "1",
      };
      const watched = await watchedService(environment);
      expect(environment).toEqual({ KEPT: "1" });
      expect(watched.aliveMs).toBe(60_000);
      watched.ready("two\nlines");
      watched.alive();
      watched.stopping();
      expect(next()).toBe("READY=1\nSTATUS=two lines");
      expect(next()).toBe("WATCHDOG=1");
      expect(next()).toBe("STOPPING=1");
      expect(next()).toBeUndefined();
    }
  },
);

test.skipIf(!usesLibc())("nobody who listens, or another's watchdog, is no failure", async () => {
  expect(serviceNotifier(scratchPath())?.("READY=1")).toBe(false);
  expect(serviceNotifier("relative")).toBeUndefined();
  expect(serviceNotifier(`/${"a".repeat(200)}`)).toBeUndefined();
  const none = await watchedService({});
  none.ready("nobody hears it");
  expect(none.aliveMs).toBeUndefined();
  const others = await watchedService({
    NOTIFY_SOCKET: scratchPath(),
    WATCHDOG_USEC: "1000000",
    WATCHDOG_PID: "1",
  });
  expect(others.aliveMs).toBeUndefined();
});
