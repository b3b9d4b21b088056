// Wrong keys, wrong gateways, revoked devices: refused with one clear line that says what to do next.

import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { compareTrees } from "../fidelity/compareTrees.ts";
import {
  done,
  enroll,
  enrollArguments,
  holdfast,
  makeSource,
  openSite,
  type Ran,
  runGateway,
  type Site,
} from "./program.ts";

let site: Site;
const undo: (() => void | Promise<void>)[] = [];

beforeAll(async () => {
  site = await openSite((step) => undo.push(step));
});

afterAll(async () => {
  for (const step of undo.reverse()) await step();
});

/** It failed, with one line on stderr that has both texts. */
function expectRefusal(ran: Ran, what: string | RegExp, next: string | RegExp): void {
  expect(ran.status).toBe(1);
  const lines = ran.stderr.trim().split("\n");
  expect(lines).toHaveLength(1);
  expect(lines[0]).toMatch(/^holdfast: /);
  expect(lines[0]).toMatch(what);
  expect(lines[0]).toMatch(next);
}

function replaced(args: readonly string[], option: string, value: string): string[] {
  const at = args.indexOf(option);
  return args.map((word, i) => (i === at + 1 ? value : word));
}

function without(args: readonly string[], option: string): string[] {
  const at = args.indexOf(option);
  return args.filter((_, i) => i !== at && i !== at + 1);
}

describe("enrolling", () => {
  test("with a wrong password, or for an account that is not there: the same answer", async () => {
    const wrong = join(site.folder, "wrong");
    writeFileSync(wrong, "not the password\n");
    const args = replaced(enrollArguments(site, "stranger"), "--password-file", wrong);
    const ran = await holdfast(...args);
    expectRefusal(ran, /account|password/i, /./);
    const unknown = await holdfast(...replaced(args, "--account", "nobody"));
    expect(unknown.status).toBe(1);
    expect(unknown.stderr).toBe(ran.stderr);
    expect(readdirSync(join(site.folder, "state-stranger"))).not.toContain("agent.json");
  });

  test("with another gateway's fingerprint", async () => {
    const args = replaced(enrollArguments(site, "stranger"), "--fingerprint", `SHA256:${"ab".repeat(32)}`);
    expectRefusal(await holdfast(...args), /public key/, /Compare/);
  });

  test("without a fingerprint and without a terminal: the message has the flag to add", async () => {
    const args = without(enrollArguments(site, "careful"), "--fingerprint");
    const ran = await holdfast(...args);
    expectRefusal(ran, /nobody vouches/, /add --fingerprint SHA256:[0-9a-f]{64}/);
    const flag = /--fingerprint (SHA256:[0-9a-f]{64})/.exec(ran.stderr)?.[1] ?? "";
    await done(...args, "--fingerprint", flag);
  });

  test("under a name that is taken, and twice in one state directory", async () => {
    await enroll(site, "taken");
    const again = replaced(enrollArguments(site, "taken"), "--state", join(site.folder, "state-second"));
    expectRefusal(
      await holdfast(...again),
      /has a device taken already/,
      /--device.*device revoke alice\/taken/,
    );
    const same = replaced(enrollArguments(site, "taken"), "--device", "fresh");
    expectRefusal(await holdfast(...same), /is enrolled already/, /--replace/);
  });

  test("with a wrong command line: exit status 2 and a hint", async () => {
    const ran = await holdfast("agent", "enroll", site.url, "--acount", "alice");
    expect(ran.status).toBe(2);
    expect(ran.stderr).toContain("Did you mean --account?");
    expect((await holdfast("agent", "enroll", "ftp://x", "--account", "a")).status).toBe(2);
  });
});

describe("devices and accounts", () => {
  test("a revoked device is refused; another may take its name", async () => {
    const state = await enroll(site, "lost");
    await done("agent", "snapshots", "--state", state);
    await done("device", "revoke", "alice/lost", "--data", site.data);
    const ran = await holdfast("agent", "snapshots", "--state", state);
    expectRefusal(ran, /token|revoked/, /./);
    const again = replaced(enrollArguments(site, "lost"), "--state", join(site.folder, "state-found"));
    await done(...again);
    const devices = JSON.parse(await done("device", "list", "--data", site.data, "--json")) as {
      name: string;
      revoked: boolean;
    }[];
    expect(
      devices
        .filter(({ name }) => name === "lost")
        .map(({ revoked }) => revoked)
        .sort(),
    ).toEqual([false, true]);
  });

  test("a disabled account is refused until it is enabled", async () => {
    const state = await enroll(site, "waiting");
    await done("account", "disable", "alice", "--data", site.data);
    expect((await holdfast("agent", "snapshots", "--state", state)).status).toBe(1);
    await done("account", "enable", "alice", "--data", site.data);
    await done("agent", "snapshots", "--state", state);
  });

  test("a second gateway on one data directory", async () => {
    expectRefusal(
      await holdfast("gateway", "run", "--data", site.data),
      /open/,
      /Stop the other|admin socket/,
    );
  });

  test("nothing is made twice", async () => {
    expectRefusal(await holdfast("gateway", "init", "--data", site.data), /not empty/, /./);
    const add = ["account", "add", "alice", "--data", site.data, "--password-file", site.password];
    expectRefusal(await holdfast(...add, "--kdf-iterations", "210000"), /account alice already/, /|/);
    const weak = await holdfast(...replaced(add, "add", "bob"), "--kdf-iterations", "1000");
    expect(weak.status).toBe(1);
    expect(weak.stderr).toContain("1000 KDF iterations");
  });
});

test("a changed and a recovered password: devices go on, the backups open with the new one alone", async () => {
  const source = makeSource(site.folder);
  const state = await enroll(site, "steady");
  await done("agent", "backup", source, "--state", state);
  const [second, third] = [join(site.folder, "second"), join(site.folder, "third")];
  writeFileSync(second, "a second password\n");
  writeFileSync(third, "a third password\n");
  const fast = ["--kdf-iterations", "210000", "--data", site.data];
  await done(
    "account",
    "password",
    "alice",
    "--password-file",
    site.password,
    "--new-password-file",
    second,
    ...fast,
  );
  const stale = await holdfast(
    "account",
    "password",
    "alice",
    "--password-file",
    site.password,
    "--new-password-file",
    third,
    ...fast,
  );
  expectRefusal(stale, /wrong/, /recover/);
  await done(
    "account",
    "recover",
    "alice",
    "--recovery-key-file",
    site.recoveryKey,
    "--password-file",
    third,
    ...fast,
  );
  expect((await holdfast(...replaced(enrollArguments(site, "late"), "--password-file", second))).status).toBe(
    1,
  );
  await done(...replaced(enrollArguments(site, "late"), "--password-file", third));
  await done("agent", "backup", source, "--state", state);
  const target = join(site.folder, "recovered");
  const late = join(site.folder, "state-late");
  await done("agent", "restore", "latest", "--device", "steady", "--target", target, "--state", late);
  expect(compareTrees(source, join(target, source))).toEqual([]);
  const typo = join(site.folder, "typo");
  writeFileSync(
    typo,
    readFileSync(site.recoveryKey, "utf8").replace(/.(?=\n)/, (last) => (last === "7" ? "8" : "7")),
  );
  const recover = [
    "account",
    "recover",
    "alice",
    "--recovery-key-file",
    typo,
    "--password-file",
    third,
    ...fast,
  ];
  expectRefusal(await holdfast(...recover), /typing error/, /character by character/);
  // The site's password file goes on being right for the tests that follow.
  await done(
    "account",
    "password",
    "alice",
    "--password-file",
    third,
    "--new-password-file",
    site.password,
    ...fast,
  );
});

test("a vault of a newer format is refused by its gateway, and named to the agent", async () => {
  const newer = await openSite();
  const state = await enroll(newer, "one");
  await newer.gateway.stop();
  const [vault = ""] = readdirSync(join(newer.data, "vaults"));
  const file = join(newer.data, "vaults", vault, "vault.json");
  const document = JSON.parse(readFileSync(file, "utf8")) as { version: number };
  writeFileSync(file, JSON.stringify({ ...document, version: 2 }));
  const config = join(newer.data, "config.toml");
  writeFileSync(
    config,
    readFileSync(config, "utf8").replace(/^listen = .*$/m, `listen = "${new URL(newer.url).host}"`),
  );
  const again = await runGateway(newer.data);
  const ran = await holdfast("agent", "backup", newer.folder, "--state", state);
  await again.stop("SIGKILL");
  expect(ran.status).toBe(1);
  expect(ran.stderr).toContain("format version 2");
  expect(ran.stderr).toContain("newer version of this program");
});
