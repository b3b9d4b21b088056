// A vault that is locked under a mounted drive: nothing that was opened or cached answers any more, and unlocking brings all back.

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type KernelMounted, kernelDriver } from "../../../fs/fuse/kernelDriver.ts";
import type { VaultView } from "../../../fs/view/vaultView.ts";
import { FixtureVault } from "../fixtureVault.ts";
import { directoryOf, fileOf, sparseOf } from "../treeSpec.ts";
import { Ring, viewOf } from "../viewWalk.ts";
import { canMount, freshDirectory, keptLog, sh, tool, until } from "./mounting.ts";

const secret = "what nobody may see any more\n".repeat(10_000);

/**
 * Holds a file open, maps it and stands in its directory. Does what its stdin says, a word a line, and answers with a line: what it
 * got, or an errno's name.
 */
const holder = `
import errno, mmap, os, sys
path = sys.argv[1]
os.chdir(os.path.dirname(path))
f = os.open(path, os.O_RDONLY)
m = mmap.mmap(f, 0, prot=mmap.PROT_READ)
for line in sys.stdin:
    word = line.strip()
    try:
        if word == "read": said = os.pread(f, 4, 0).decode()
        elif word == "map": said = m[8192:8196].decode()
        elif word == "stat": said = str(os.fstat(f).st_size)
        elif word == "list": said = ",".join(sorted(os.listdir(".")))
        elif word == "where": said = os.getcwd()
        elif word == "open": said = open(os.path.basename(path)).read(4)
    except OSError as e: said = errno.errorcode[e.errno]
    print(said, flush=True)
`;

describe.skipIf(!canMount())("a vault locked under a drive", () => {
  let scratch: string;
  let mnt: string;
  let vault: FixtureVault;
  let ring: Ring;
  let view: VaultView;
  let mounted: KernelMounted;
  const children: ChildProcess[] = [];
  const time = "2026-11-22T054512Z";
  let item: string;

  beforeEach(async () => {
    scratch = freshDirectory();
    mnt = join(scratch, "mnt");
    mkdirSync(mnt);
    vault = new FixtureVault();
    vault.snapshot(directoryOf({ etc: directoryOf({ secret: fileOf(secret), other: fileOf("x") }) }));
    ring = new Ring(vault.keys);
    view = viewOf(vault, ring);
    mounted = await kernelDriver().mount(view, mnt, { logger: keptLog() });
    item = join(mnt, "anna", "laptop", "files");
  });
  afterEach(async () => {
    for (const child of children.splice(0)) child.kill("SIGKILL");
    await mounted.unmount();
    view.close();
    rmSync(scratch, { recursive: true, force: true });
  });

  /** A holder's way of being asked. */
  function hold(path: string): { ask: (word: string) => Promise<string>; child: ChildProcess } {
    const child = spawn("/usr/bin/python3", ["-c", holder, path], { stdio: ["pipe", "pipe", "inherit"] });
    children.push(child);
    const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
    const ask = async (word: string): Promise<string> => {
      child.stdin.write(`${word}\n`);
      return (await lines.next()).value as string;
    };
    return { ask, child };
  }

  /** Waits until a command about the item's folder prints this: rows change a moment after names. */
  const shown = (command: string, text: string): Promise<void> =>
    until(text, async () => (await sh(command, item)).stdout.toString() === text);

  it("answers EACCES to open and mapped files, to paths and to folders that somebody stands in", async () => {
    const path = join(item, time, "etc", "secret");
    await tool('cat "$1" >/dev/null; ls -lR "$2" >/dev/null', path, mnt);
    const { ask, child } = hold(path);
    for (const [word, answer] of [
      ["read", "what"],
      ["map", secret.slice(8192, 8196)],
      ["stat", String(secret.length)],
      ["list", "other,secret"],
      ["open", "what"],
    ] as const) {
      expect(await ask(word), word).toBe(answer);
    }
    ring.set(undefined);
    // The kernel is told one thing after the other.
    for (const word of ["read", "stat", "list", "open"]) {
      await until(`${word} is refused`, async () => (await ask(word)) === "EACCES");
    }
    await until("the folder says so", async () => (await sh('ls "$1"', join(item, time))).status !== 0);
    for (const closed of [path, join(item, time, "etc"), join(item, ".history", "etc")]) {
      expect((await sh('cat "$1" 2>&1; ls "$1"', closed)).stderr, closed).toContain("Permission denied");
    }
    // The kernel has no page of the mapping left to give.
    const died = once(child, "exit");
    child.stdin?.write("map\n");
    expect(await died).toEqual([null, "SIGBUS"]);
  });

  it("shows names and times, says how to unlock, and shows all again in the same mount", async () => {
    const path = join(item, time, "etc", "secret");
    const held = hold(path);
    expect(await held.ask("read")).toBe("what");
    ring.set(undefined);
    await until("it says how", async () => (await sh('cat "$1"', join(item, "LOCKED.txt"))).status === 0);
    expect((await tool('cat "$1"', join(item, "LOCKED.txt"))).toString()).toContain(
      "\n    holdfast vault unlock anna --for 8h\n",
    );
    await shown('ls "$1"', "2026-11-22T054513Z\nLOCKED.txt\nlatest\n");
    ring.set(vault.keys);
    await until("it is readable", async () => (await sh('cmp "$1" "$2"', path, path)).status === 0);
    expect((await tool('cat "$1"', path)).toString()).toBe(secret);
    await shown('ls "$1"', `${time}\nlatest\n`);
    // What was opened before stays closed; the same path opened anew is not.
    expect(await held.ask("read")).toBe("EACCES");
    expect((await tool('cat "$1"', join(item, ".history", "etc", "secret", time))).toString()).toBe(secret);
  });

  it("refuses a reader in flight, also when its bytes come later", async () => {
    vault.snapshot(directoryOf({ big: sparseOf([Buffer.alloc(3_000_000, 7)]) }), {
      time: "2026-11-24T00:00:00.000Z",
    });
    const path = join(item, "2026-11-24T000000Z", "big");
    await until("it is there", async () => (await sh('stat "$1"', path)).status === 0);
    const { promise: released, resolve: release } = Promise.withResolvers<void>();
    let waiting = 0;
    vault.beforeRead = () => {
      waiting++;
      return released;
    };
    const reading = sh('cat "$1"', path);
    await until("the read waits", () => waiting > 0);
    ring.set(undefined);
    release();
    const { stdout, stderr } = await reading;
    expect(stdout.length).toBe(0);
    expect(stderr).toContain("Permission denied");
  });

  it("leaves open files of a snapshot that is gone, and takes its names away", async () => {
    const gone = vault.snapshot(directoryOf({ f: fileOf("still here") }), {
      time: "2026-11-24T00:00:00.000Z",
    });
    const folder = join(item, "2026-11-24T000000Z");
    await until("it is there", async () => (await sh('stat "$1"', folder)).status === 0);
    const { ask } = hold(join(folder, "f"));
    expect(await ask("open")).toBe("stil");
    const shadow = join(item, "@GMT-2026.11.24-00.00.00", "f");
    expect((await tool('cat "$1"', shadow)).toString()).toBe("still here");
    vault.drop(gone.id);
    await until("it is gone", async () => (await sh('stat "$1"', folder)).status !== 0);
    await until("so is its shadow", async () => (await sh('cat "$1"', shadow)).status !== 0);
    await shown(
      'ls -A "$1"; ls "$1/.snapshots"; ls "$1/.history"',
      `${time}\nlatest\n@GMT-2026.11.22-05.45.12\n${time}\netc\n`,
    );
    expect(await ask("read")).toBe("stil");
    expect(await ask("list")).toBe("f");
    // And with its vault's keys it goes too.
    ring.set(undefined);
    await until("the open file is closed", async () => (await ask("read")) === "EACCES");
  });

  it("does not disturb those who stand in other snapshots when one comes", async () => {
    vault.snapshot(directoryOf({ f: fileOf("file") }), { time: "2026-11-23T00:00:00.000Z" });
    const folder = join(item, "2026-11-23T000000Z");
    await until("it is there", async () => (await sh('stat "$1"', folder)).status === 0);
    const { ask } = hold(join(folder, "f"));
    expect(await ask("where")).toBe(folder);
    vault.snapshot(directoryOf({}), { time: "2026-11-25T00:00:00.000Z" });
    await until("it is there", async () => (await sh('stat "$1/2026-11-25T000000Z"', item)).status === 0);
    expect(await ask("where")).toBe(folder);
    expect(await ask("list")).toBe("f");
    expect(await ask("read")).toBe("file");
  });
});
