// Our packages in a clean Debian root: installed, brought to a first backup of /etc by the commands of docs/packages.md, upgraded, removed
// and purged. There is no systemd in the root, so the gateway is started as its unit does it; test/guest/ has a booted system.

import { type ChildProcess, execFileSync } from "node:child_process";
import { once } from "node:events";
import {
  appendFileSync,
  copyFileSync,
  existsSync,
  lstatSync,
  readdirSync,
  statSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { version } from "../../appliance/version.ts";
import { compiledProgram } from "../builtProgram.ts";
import { canRun } from "../faults/requirements.ts";
import { CleanRoot } from "../testbeds/cleanRoot.ts";
import { freePort } from "./freePort.ts";
import { lastEvent, scratchFolder } from "./program.ts";

const top = join(import.meta.dirname, "..", "..");
const newer = `${version}.1`;
const architecture = process.arch === "arm64" ? "arm64" : "amd64";
const can = canRun("installing packages", "mmdebstrap", "dpkg-deb", "unshare", "setpriv");

const passwordFile = "/root/password";
const withPassword = ["--password-file", passwordFile];
const dataOf = { gateway: "/var/lib/holdfast/gateway", agent: "/var/lib/holdfast/agent" };

describe.skipIf(!can)("packages in a clean Debian", () => {
  let folder: string;
  let root: CleanRoot;
  let port: number;
  let before: ReadonlySet<string>;
  const undo: (() => void)[] = [];

  afterAll(() => {
    for (const each of undo) each();
  });
  beforeAll(async () => {
    folder = scratchFolder((each) => undo.push(each));
    const compiled = await compiledProgram(join(folder, "compiled"));
    root = new CleanRoot(join(folder, "root"), "libstdc++6", "passwd");
    const out = join(root.path, "packages");
    const build = (...words: string[]): void => {
      const fixed = ["--fast", "--arch", architecture, "--compiled", compiled, "--out", out];
      const program = join(top, "appliance", "packages", "build.ts");
      execFileSync(process.execPath, [program, ...fixed, ...words], {
        stdio: ["ignore", "ignore", "inherit"],
      });
    };
    build("--only", "deb", "--only", "file");
    build("--only", "deb", "--edition", "whole", "--as-version", newer);
    writeFileSync(join(root.path, passwordFile), "correct horse battery staple\n", { mode: 0o600 });
    port = await freePort();
    before = filesOf(root);
  });

  const deb = (name: string, which = version): string =>
    `/packages/holdfast-${name}_${which}_${architecture}.deb`;
  const holdfast = (...words: string[]): string => root.done("holdfast", ...words);

  /** The gateway as its unit starts it. */
  async function withGateway(work: () => void): Promise<void> {
    const gateway = root.start(
      ...[
        "setpriv",
        "--reuid=holdfast-gateway",
        "--regid=holdfast-gateway",
        "--clear-groups",
        "--bounding-set=-all",
      ],
      ...[
        "--no-new-privs",
        "env",
        `HOLDFAST_DATA=${dataOf.gateway}`,
        "/usr/lib/holdfast-gateway/bin/holdfast",
      ],
      ...["gateway", "run"],
    );
    try {
      await saying(gateway, /gateway is listening/);
      work();
    } finally {
      gateway.kill("SIGTERM");
      if (gateway.exitCode === null) await once(gateway, "exit");
    }
    expect(gateway.exitCode).toBe(0);
  }

  test("five commands lead to a backup of /etc, and all that they wrote is the services' own", async () => {
    const startedMs = performance.now();
    root.done("dpkg", "--install", deb("gateway"), deb("agent"));
    holdfast("gateway", "init", "--listen", `127.0.0.1:${port}`, "--recovery-key-file", "/root/gateway.key");
    await withGateway(() => {
      const [, fingerprint = ""] =
        /(SHA256:[0-9a-f]+)/i.exec(root.done("holdfast", "gateway", "status")) ?? [];
      const fast = ["--kdf-iterations", "210000", "--recovery-key-file", "/root/account.key"];
      holdfast("account", "add", "me", ...withPassword, ...fast);
      const url = `https://127.0.0.1:${port}`;
      holdfast("agent", "enroll", url, "--account", "me", "--fingerprint", fingerprint, ...withPassword);
      const done = lastEvent(holdfast("agent", "backup", "/etc", "--json"));
      expect(done).toMatchObject({ event: "done", warnings: 0 });
      expect(done.files).toBeGreaterThan(50);
      const seconds = (performance.now() - startedMs) / 1000;
      process.stderr.write(`\nfrom .deb to the first backup of /etc: ${seconds.toFixed(1)} s\n`);
      // As the service: another user than root, that may read everything.
      const asService = root.done(
        ...["setpriv", "--reuid=holdfast-agent", "--regid=holdfast-agent", "--clear-groups"],
        ...[
          "--inh-caps=-all,+dac_read_search",
          "--ambient-caps=-all,+dac_read_search",
          "--bounding-set=-all,+dac_read_search",
        ],
        ...[
          "env",
          `HOLDFAST_STATE=${dataOf.agent}`,
          "holdfast",
          "agent",
          "backup",
          "/etc",
          "/root",
          "--json",
        ],
      );
      expect(lastEvent(asService)).toMatchObject({ event: "done", warnings: 0 });
      holdfast("agent", "restore", "latest", "--target", "/restored");
    });
    expect(root.done("diff", "--recursive", "--no-dereference", "/etc", "/restored/etc")).toBe("");
    expect(statSync(join(root.path, "restored")).uid).toBe(0);
    for (const name of ["gateway", "agent"] as const) {
      const user = Number(root.done("id", "-u", `holdfast-${name}`));
      expect(root.done("find", dataOf[name], "!", "-uid", String(user))).toBe("");
      expect(statSync(join(root.path, dataOf[name])).mode & 0o777).toBe(0o700);
    }
    expect(root.done("stat", "-c", "%a %U", "/root/gateway.key")).toBe("600 root\n");
  });

  test("what is installed is whole, enabled, and nothing else: Node of its own, units, man page, completion", () => {
    expect(root.done("dpkg", "--verify", "holdfast-gateway", "holdfast-agent")).toBe("");
    const ours = root.done("dpkg", "--listfiles", "holdfast-gateway", "holdfast-agent").split("\n");
    const modes = ours.filter(Boolean).map((path) => lstatSync(join(root.path, path)).mode & 0o7022);
    expect(modes.filter((mode) => mode !== 0)).toEqual([]);
    expect(root.run("sh", "-c", "command -v node").status).not.toBe(0);
    for (const name of ["gateway", "agent"]) {
      const unit = `holdfast-${name}.service`;
      const text = root.done("cat", `/etc/systemd/system/multi-user.target.wants/${unit}`);
      const [, program = ""] = /^ExecStart=(\S+)/m.exec(text) ?? [];
      expect(root.done(program, "--version")).toBe(`holdfast ${version}\n`);
    }
    expect(
      root.done("bash", "-c", ". /usr/share/bash-completion/completions/holdfast && complete -p holdfast"),
    ).toContain("holdfast");
    expect(root.done("sh", "-c", "zcat /usr/share/man/man1/holdfast.1.gz")).toContain(
      "SS holdfast agent backup",
    );
    const agents = readdirSync(join(root.path, "usr/lib/holdfast-agent/dist"));
    expect(agents).toContain("agent");
    expect(agents).not.toContain("gateway");
    expect(existsSync(join(root.path, "usr/lib/holdfast-agent/node_modules/fastify"))).toBe(false);
    expect(existsSync(join(root.path, "usr/lib/holdfast-gateway/node_modules/fastify"))).toBe(true);
  });

  test("an upgrade keeps settings, what was disabled, and everything that was backed up", async () => {
    const settings = "/etc/default/holdfast-gateway";
    appendFileSync(join(root.path, settings), "TZ=Europe/Vienna\n");
    const link = "/etc/systemd/system/multi-user.target.wants/holdfast-gateway.service";
    root.done("rm", link);
    root.done("dpkg", "--install", deb("gateway", newer));
    expect(holdfast("--version")).toBe(`holdfast ${newer}\n`);
    expect(root.done("cat", settings)).toContain("TZ=Europe/Vienna");
    expect(root.run("test", "-e", link).status).not.toBe(0);
    expect(root.run("test", "-e", link.replace("gateway", "agent")).status).toBe(0);
    await withGateway(() => {
      expect(holdfast("agent", "snapshots").split("\n").length).toBeGreaterThan(2);
      holdfast("agent", "backup", "/etc");
    });
  });

  test("each goes without the other; a purge asks nothing and leaves the backups, and nothing else", () => {
    const removed = root.run("dpkg", "--remove", "holdfast-gateway");
    expect(removed.status).toBe(0);
    // The agent's own is what is left, of the version that it was.
    expect(holdfast("--version")).toBe(`holdfast ${version}\n`);
    const refused = root.run("holdfast", "gateway", "status");
    expect(refused).toMatchObject({ status: 2, stderr: expect.stringContaining("package holdfast-gateway") });
    expect(holdfast("help")).not.toContain("gateway init");
    const purged = root.run("dpkg", "--purge", "holdfast-gateway", "holdfast-agent");
    expect(purged.status).toBe(0);
    expect(purged.stderr).toMatch(/backups in \/var\/lib\/holdfast\/gateway \([^)]+\) were NOT deleted/);
    const left = [...filesOf(root)].filter((path) => !before.has(path));
    const isBackups = (path: string): boolean =>
      path === "var/lib/holdfast" || path.startsWith("var/lib/holdfast/gateway");
    const isOurs = (path: string): boolean =>
      /^(restored|root\/((gateway|account)\.key$|\.cache))/.test(path);
    // dpkg, useradd and alternatives keep notes of their own.
    const isNote = (path: string): boolean =>
      /^(etc\/(passwd|shadow|group|gshadow|subuid|subgid|\.pwd\.lock)|var\/(lib\/dpkg|log))/.test(path);
    expect(left.filter((path) => !isBackups(path) && !isOurs(path) && !isNote(path))).toEqual([]);
    expect(left.some((path) => path.startsWith("var/lib/holdfast/gateway/"))).toBe(true);
    // Installed again, it finds them.
    root.done("dpkg", "--install", deb("gateway"));
    expect(lastEvent(holdfast("account", "list", "--json"))).toBeDefined();
    expect(holdfast("account", "list")).toContain("me");
  });

  test("the single file unpacks itself once, for everybody; a part of it does nothing", () => {
    const file = `/packages/holdfast-agent-${version}-linux-${architecture}`;
    expect(root.done(file, "--version")).toBe(`holdfast ${version}\n`);
    const unpacked = "/var/lib/holdfast/unpacked";
    const inode = root.done("stat", "-c", "%i", unpacked);
    const asNobody = [
      "setpriv",
      "--reuid=nobody",
      "--regid=nogroup",
      "--clear-groups",
      "env",
      "HOME=/nonexistent",
    ];
    expect(root.done(...asNobody, file, "--version")).toBe(`holdfast ${version}\n`);
    expect(root.done("stat", "-c", "%i", unpacked)).toBe(inode);
    expect(root.done("ls", "-A", unpacked).trim().split("\n")).toHaveLength(1);
    const part = join(root.path, "packages", "part");
    copyFileSync(join(root.path, file), part);
    truncateSync(part, statSync(part).size - 1000);
    const env = ["env", "HOLDFAST_UNPACK=/tmp/unpacked"];
    const wrong = root.run(...env, "/packages/part", "--version");
    expect(wrong).toMatchObject({ status: 1, stderr: expect.stringContaining("cannot be unpacked") });
    expect(root.done("ls", "-A", "/tmp/unpacked")).toBe("");
    // What another user made there is not run.
    root.done(...env, file, "--version");
    root.done("sh", "-c", "chown nobody /tmp/unpacked/*");
    expect(root.run(...env, file, "--version")).toMatchObject({
      status: 1,
      stderr: expect.stringContaining("belongs to user"),
    });
  });
});

/** Every path of the root, but for what is mounted into it and what we put there. */
function filesOf(root: CleanRoot): ReadonlySet<string> {
  const found = root.done("find", "/", "-xdev", "-path", "/packages", "-prune", "-o", "-printf", "%P\\n");
  return new Set(found.split("\n").filter(Boolean));
}

/** Waits until a program says something on stderr. */
function saying(child: ChildProcess, what: RegExp): Promise<void> {
  let said = "";
  child.stdout?.resume();
  return new Promise((resolve, reject) => {
    child.stderr?.setEncoding("utf8").on("data", (text: string) => {
      said += text;
      if (what.test(said)) resolve();
    });
    child.once("exit", () => reject(new Error(`it ended: ${said}`)));
  });
}
