// The first thing that anyone does, start to end.

import { existsSync, readdirSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { canMount, tool } from "../fs/fuse/mounting.ts";
import { done, holdfast, makeSource, mountsBelow, Program, scratchFolder } from "./program.ts";

const ready = /Take it all away/;

/** The three commands that it prints. */
function commandsOf(stdout: string): string[] {
  const after = stdout.slice(stdout.indexOf("Try next"));
  return after
    .split("\n")
    .slice(1, 4)
    .map((line) => line.trim());
}

test.skipIf(!canMount())("run, run again, a killed run, --stop, --remove", async () => {
  const folder = scratchFolder();
  const source = makeSource(folder);
  const dir = join(folder, "quick start");
  const args = ["quickstart", source, "--dir", dir];

  const first = new Program(args);
  await first.printed(ready);
  const drive = /are a drive now:\n {2}(.*)/.exec(first.stdout)?.[1] ?? "";
  await tool('diff -r --no-dereference "$1" "$2"', source, join(drive, "latest", source));
  expect(statSync(join(dir, "password")).mode & 0o777).toBe(0o600);
  const commands = commandsOf(first.stdout);
  expect(commands).toHaveLength(3);
  for (const command of commands)
    await tool(command.replace("/tmp/holdfast-restored", `"${folder}/restored"`));
  await tool('diff -r --no-dereference "$1" "$2"', source, join(folder, "restored"));
  const busy = await holdfast(...args);
  expect(busy.status).toBe(1);
  expect(busy.stderr).toContain("running already");
  expect((await first.stop("SIGINT")).status).toBe(0);
  expect(mountsBelow(folder)).toEqual([]);

  // Reuses what is there, the path too; then dies without a chance to clean up.
  writeFileSync(join(source, "later"), "later\n");
  const second = new Program(["quickstart", "--dir", dir]);
  await second.printed(ready);
  expect(second.stderr).not.toContain("Made");
  const seen = readdirSync(drive).filter((name) => name !== "latest");
  expect(seen).toHaveLength(3);
  await second.stop("SIGKILL");

  const third = new Program(args);
  await third.printed(ready);
  expect(existsSync(join(drive, "latest", source, "later"))).toBe(true);
  expect(await done("quickstart", "--stop", "--dir", dir)).toContain("Stopped");
  await third.ended();
  expect(mountsBelow(folder)).toEqual([]);

  const asked = await holdfast("quickstart", "--remove", "--dir", dir);
  expect(asked.status).toBe(2);
  expect(existsSync(join(dir, "gateway"))).toBe(true);
  expect(await done("quickstart", "--remove", "--yes", "--dir", dir)).toContain("password");
  expect(existsSync(dir)).toBe(false);
});

test("without FUSE it says so loudly and goes on", async () => {
  const folder = scratchFolder();
  const source = makeSource(folder);
  const dir = join(folder, "q");
  // A mount point that is in use is refused as a machine without FUSE would be.
  const prepared = new Program(["quickstart", source, "--dir", dir]);
  await prepared.printed(ready);
  await prepared.stop("SIGTERM");
  writeFileSync(join(dir, "drive", "in-the-way"), "");
  const program = new Program(["quickstart", "--dir", dir]);
  await program.printed(ready);
  expect(program.stderr).toContain("NO DRIVE");
  expect(program.stdout).toContain("agent ls");
  const [look = ""] = commandsOf(program.stdout);
  expect((await tool(look)).toString()).toContain("a.txt");
  expect((await program.stop("SIGTERM")).status).toBe(3);
});
