// The second driver by the command line, in both of its places: the gateway's process and the agent's.

import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { canMount, tool } from "../fs/fuse/mounting.ts";
import { done, enroll, makeSource, mountsBelow, openSite, Program, runGateway } from "./program.ts";

const runs = canMount() && process.platform === "linux" && process.arch === "x64";

test.skipIf(!runs)("mount --driver fuse-native: read, unmount, kill -9, mount again", async () => {
  const site = await openSite();
  const state = await enroll(site, "pc");
  const source = makeSource(site.folder);
  await done("agent", "backup", source, "--state", state);
  const drive = join(site.folder, "drive");
  mkdirSync(drive);
  const unlock = ["vault", "unlock", "alice", "--data", site.data, "--password-file", site.password];
  const mount = ["gateway", "mount", drive, "--data", site.data, "--driver", "fuse-native"];
  const compare = () =>
    tool('diff -r --no-dereference "$1" "$2"', source, join(drive, "alice", "pc", "files", "latest", source));

  const agent = new Program([
    "agent",
    "mount",
    drive,
    "--driver",
    "fuse-native",
    "--foreground",
    "--state",
    state,
  ]);
  onTestFinished(() => void agent.stop("SIGKILL"));
  await agent.printed(/The drive is at/);
  await compare();
  expect((await agent.stop("SIGINT")).status).toBe(0);
  expect(mountsBelow(site.folder)).toEqual([]);

  await done(...unlock);
  await done(...mount);
  await compare();
  await tool('umount "$1"', drive);
  expect(mountsBelow(site.folder)).toEqual([]);

  await done(...mount);
  await site.gateway.stop("SIGKILL");
  expect(mountsBelow(site.folder)).toEqual([drive]);
  const again = await runGateway(site.data);
  onTestFinished(() => void again.stop("SIGKILL"));
  await done(...unlock);
  await done(...mount);
  await compare();
  expect(mountsBelow(site.folder)).toEqual([drive]);
  expect((await again.stop("SIGTERM")).status).toBe(0);
  expect(mountsBelow(site.folder)).toEqual([]);
});
