// Windows' "Previous Versions" over a drive: Samba's shadow_copy2 with the shares that docs/operations.md shows.

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { chmodSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { describe, expect, onTestFinished, test } from "vitest";
import { canRun } from "../faults/requirements.ts";
import { canMount, sh, tool } from "../fs/fuse/mounting.ts";
import { done, enroll, openSite } from "./program.ts";

/** The shares of the documentation, with the places of this test in theirs. */
function documentedShares(places: Readonly<Record<string, string>>): string {
  const text = readFileSync(join(import.meta.dirname, "..", "..", "docs", "operations.md"), "utf8");
  const shares = Array.from(
    text.matchAll(/```ini\n(?<share>[^`]*)```/g),
    (match) => match.groups?.share ?? "",
  );
  expect(shares).toHaveLength(2);
  return Object.entries(places).reduce((all, [from, to]) => all.replaceAll(from, to), shares.join("\n"));
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as { port: number };
  server.close();
  await once(server, "close");
  return port;
}

/** Starts an smbd that keeps everything in `folder`. */
async function startSmbd(folder: string, shares: string): Promise<{ config: string; port: number }> {
  const port = await freePort();
  const own = ["private", "lock", "state", "cache", "pid", "rpc"];
  for (const name of own) mkdirSync(join(folder, name), { recursive: true });
  const config = join(folder, "smb.conf");
  writeFileSync(
    config,
    `[global]
      server role = standalone server
      interfaces = 127.0.0.1
      bind interfaces only = yes
      smb ports = ${port}
      private dir = ${folder}/private
      lock directory = ${folder}/lock
      state directory = ${folder}/state
      cache directory = ${folder}/cache
      pid directory = ${folder}/pid
      ncalrpc dir = ${folder}/rpc
      log file = ${folder}/log
      load printers = no
      disable spoolss = yes
      map to guest = Bad User
      guest ok = yes
${shares}`,
  );
  const smbd: ChildProcess = spawn("/usr/sbin/smbd", ["-F", "--no-process-group", "-s", config], {
    stdio: "ignore",
    detached: true,
  });
  const exited = once(smbd, "exit");
  onTestFinished(async () => {
    // Its helpers and one process for each client are in its group.
    process.kill(-(smbd.pid as number), "SIGKILL");
    await exited;
  });
  return { config, port };
}

describe.skipIf(!canMount() || !canRun("Samba", "smbd", "smbclient"))("Samba's shadow_copy2", () => {
  test("lists and gives previous versions, to a share of the source and to one of the drive", async () => {
    const site = await openSite();
    const state = await enroll(site, "server");
    // The guest of the share has to come this far; the rest is the drive's to decide.
    chmodSync(site.folder, 0o755);
    const source = join(site.folder, "share");
    const mountpoint = join(site.folder, "drive");
    mkdirSync(join(source, "sub"), { recursive: true });
    mkdirSync(mountpoint);
    const contents = ["one", "the second", "the third version"];
    for (const content of contents) {
      writeFileSync(join(source, "doc.txt"), content);
      writeFileSync(join(source, "sub", "secret.txt"), content, { mode: 0o600 });
      await done("agent", "backup", source, "--state", state);
      await pause(1000); // names of versions are whole seconds
    }
    writeFileSync(join(source, "doc.txt"), "now");
    await done("agent", "mount", mountpoint, "--allow-other", "--state", state);

    const shares = documentedShares({
      "/srv/backups/acme/server/files": join(mountpoint, "alice", "server", "files"),
      "path = /srv/share": `path = ${source}`,
      "srv/share": source.slice(1),
    });
    const { config, port } = await startSmbd(join(site.folder, "samba"), shares);
    const client = (share: string, commands: string) =>
      sh('smbclient -N -s "$1" -p "$2" "//127.0.0.1/$3" -c "$4"', config, String(port), share, commands);
    await expect.poll(async () => (await client("share", "ls")).status).toBe(0);

    for (const share of ["share", "backups"]) {
      const info = (await client(share, "allinfo doc.txt")).stdout.toString();
      const versions = Array.from(
        info.matchAll(/^(@GMT-[\d.-]+)\n(?:.*\n)*?size: (\d+)$/gm),
        ([, name, size]) => [name as string, Number(size)],
      );
      expect(versions.map(([, size]) => size)).toEqual(contents.map(({ length }) => length).toReversed());
      for (const [index, [name]] of versions.entries()) {
        const got = join(site.folder, "got");
        const { status, stdout } = await client(share, `get ${name}\\doc.txt ${got}; ls ${name}\\*`);
        expect(status, stdout.toString()).toBe(0);
        expect(readFileSync(got, "utf8")).toBe(contents.toReversed()[index]);
        expect(stdout.toString()).toMatch(/^ {2}sub +D/m);
        // The archived mode holds: the share's guest is not the owner.
        const refused = await client(share, `get ${name}\\sub\\secret.txt ${got}`);
        expect(refused.stdout.toString()).toContain("NT_STATUS_ACCESS_DENIED");
      }
    }
    // Connected anew, a client sees what was backed up meanwhile.
    await done("agent", "backup", source, "--state", state);
    const seen = async () =>
      (await client("share", "allinfo doc.txt")).stdout.toString().match(/^@GMT/gm)?.length;
    await expect.poll(seen).toBe(4);
    await tool('umount -l "$1"', mountpoint);
  });
});
