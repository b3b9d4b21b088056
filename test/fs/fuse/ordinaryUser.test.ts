// Mounting as a user other than root, through the system's fusermount3.
//
// A build machine's /dev/fuse may be for root alone, so every run gets a mount namespace of its own in which a device
// node with the usual mode stands in its place: nothing outside changes, and all mounts go with the namespace.

import { execFileSync } from "node:child_process";
import { chmodSync, chownSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { freshDirectory, sh } from "./mounting.ts";

const program = fileURLToPath(new URL("./userMount.ts", import.meta.url));
const nobody = 65_534;
const scratch = freshDirectory();
const mnt = join(scratch, "mnt");
const device = join(scratch, "fuse");

// The one capability lets the user read this program wherever it is checked out; it does not help with mounting.
const asUser = [
  `setpriv --reuid ${nobody} --regid ${nobody} --clear-groups`,
  "--inh-caps=+dac_read_search --ambient-caps=+dac_read_search",
].join(" ");
const user = `${asUser} "${process.execPath}" "${program}" "${mnt}"`;

/** Runs a script in a mount namespace where everybody may open /dev/fuse; its stdout. */
async function inNamespace(script: string, path = process.env.PATH ?? ""): Promise<string> {
  const setUp = `set -e; mount --bind "${device}" /dev/fuse; export PATH="${path}"; set +e`;
  const ran = await sh(`exec unshare -m --propagation private sh -c '${setUp}; ${script}'`);
  // The shell says so of a program that killed itself.
  if (ran.stderr.replace(/^Killed\n/, "") !== "") throw new Error(ran.stderr);
  return ran.stdout.toString();
}

function whyNot(): string | undefined {
  if (process.getuid?.() !== 0) return "not root";
  try {
    execFileSync("mknod", ["-m", "666", device, "c", "10", "229"], { stdio: "pipe" });
    const inside = `mount --bind "${device}" /dev/fuse && ${asUser} sh -c ": <>/dev/fuse && command -v fusermount3"`;
    execFileSync("unshare", ["-m", "--propagation", "private", "sh", "-c", inside], { stdio: "pipe" });
    return undefined;
  } catch (error) {
    const { stderr, message } = error as Error & { stderr?: Buffer };
    return `${stderr?.toString().trim() || message}`;
  }
}

function canMountAsUser(): boolean {
  const reason = whyNot();
  if (reason === undefined) return true;
  if (process.env.CI === "true" && process.getuid?.() === 0)
    throw new Error(`mounting as an ordinary user cannot be tried: ${reason}`);
  process.stderr.write(
    `\n*** SKIPPED: mounting as an ordinary user cannot be tried here (${reason}) ***\n\n`,
  );
  return false;
}

const possible = canMountAsUser();
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

describe.skipIf(!possible)("an ordinary user", () => {
  const fakes = join(scratch, "bin");

  beforeAll(() => {
    mkdirSync(fakes);
  });
  beforeEach(() => {
    rmSync(mnt, { recursive: true, force: true });
    mkdirSync(mnt);
    chownSync(mnt, nobody, nobody);
  });

  it("mounts, reads and unmounts through fusermount3, and leaves nothing open", async () => {
    expect(JSON.parse(await inNamespace(user))).toEqual({
      uid: nobody,
      content: "read by an ordinary user",
      opened: 1,
      left: false,
      leaked: 0,
    });
  });

  it("mounts again over a drive whose daemon was killed", async () => {
    const said = await inNamespace(
      `${user} die; echo "status $?"; grep -c "${mnt}" /proc/self/mountinfo; ${user}`,
    );
    const [status, mounts, second] = said.split("\n");
    expect(status).toBe("status 137");
    expect(mounts).toBe("1");
    expect(JSON.parse(second ?? "")).toMatchObject({ content: "read by an ordinary user", left: false });
  });

  it.each([
    ["passes nothing", "exit 0", "passed no descriptor"],
    ["dies", "kill -9 $$", "SIGKILL"],
    ["is refused", "echo fusermount3: mounting is not allowed >&2; exit 1", "mounting is not allowed"],
  ])("is told when fusermount3 %s", async (_, script, message) => {
    const fake = join(fakes, "fusermount3");
    writeFileSync(fake, `#!/bin/sh\n${script}\n`);
    chmodSync(fake, 0o755);
    const said = await inNamespace(user, `${fakes}:${process.env.PATH}`);
    expect(JSON.parse(said)).toEqual({
      code: "mount-failed",
      message: expect.stringContaining(message),
      leaked: 0,
    });
  });
});
