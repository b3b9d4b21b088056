// What is told on the network of this machine's disk: what is wrong, and no path.

import { mkdir, readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { withoutPath } from "../../gateway/api/errorAnswer.ts";
import { fileError } from "../../gateway/store/files.ts";
import { reserveReached } from "../../gateway/store/reserve.ts";
import { ErrorCode, HoldfastError } from "../../vault/errors.ts";
import { beginSession, GatewayFixture, pageRecord, snapshotOf } from "./gatewayFixture.ts";

test("a client hears of a snapshot that cannot be read, and not where it is", async () => {
  const fixture = await GatewayFixture.create();
  try {
    const device = await fixture.device(await fixture.account("anna"), "laptop");
    const { item, session } = await beginSession(device);
    const root = pageRecord(device, []);
    await device.client.records(session, [root.record]);
    const { snapshot } = await device.client.commit(
      session,
      snapshotOf(device, item, 1, null, root.id).bytes,
    );
    const folder = join(fixture.path, "vaults", device.vault, "snapshots");
    expect(await readdir(folder)).toContain(snapshot);
    await rm(join(folder, snapshot));
    await mkdir(join(folder, snapshot));
    const error = await device.client.snapshotObject(snapshot).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({
      code: "io-error",
      message: expect.stringMatching(/^the gateway's disk: EISDIR: illegal operation on a directory, \w+$/),
      next: "Tell whoever runs the gateway: its log has the cause.",
    });
    expect(JSON.stringify(error)).not.toContain(fixture.path);
  } finally {
    await fixture.remove();
  }
});

test("the system's words stay, and what is said beside them; other paths do not", () => {
  const failed = (words: string) =>
    withoutPath(fileError(Object.assign(new Error(words), { code: "EIO" }), "/srv/data/packs/ab")).message;
  expect(failed("EIO: i/o error, fsync; restart it")).toBe(
    "the gateway's disk: EIO: i/o error, fsync; restart it",
  );
  expect(failed("EIO: i/o error, rename '/srv/data/packs/ab' -> '/srv/data/packs/cd'")).toBe(
    "the gateway cannot read or write its disk (EIO)",
  );
});

test("a full disk; what names no path is told as it is", () => {
  const full = Object.assign(new Error("ENOSPC: no space left on device, write"), { code: "ENOSPC" });
  expect(withoutPath(fileError(full, "/srv/data/packs/ab"))).toMatchObject({
    code: "disk-full",
    message: "no space left on the gateway's disk",
    next: expect.stringContaining("Make room"),
    detail: {},
  });
  const reserve = withoutPath(reserveReached({ reserveBytes: 2 ** 30, directory: "/srv/data" }));
  expect(reserve).toMatchObject({
    message: "less than 1024 MiB are free on the gateway's disk",
    detail: {},
  });
  const others = [
    new HoldfastError(ErrorCode.notFound, "no such file", { detail: { path: "/etc/hosts" } }),
    new HoldfastError(ErrorCode.ioError, "the line broke"),
  ];
  for (const error of others) expect(withoutPath(error)).toBe(error);
});
