// Debian's squid as people run it: a proxy with a password, that knows a host which nobody else does.

import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import * as net from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { freePort } from "../e2e/freePort.ts";

const basicAuth = "/usr/lib/squid/basic_ncsa_auth";

export class Squid {
  readonly port: number;
  readonly #folder: string;
  readonly #child: ReturnType<typeof spawn>;

  private constructor(port: number, folder: string, child: ReturnType<typeof spawn>) {
    this.port = port;
    this.#folder = folder;
    this.#child = child;
  }

  /** Starts one on loopback. `hosts`: names that lead to 127.0.0.1, by it alone. It lets through what logs in, to any port of those. */
  static async start(login: { name: string; password: string }, hosts: readonly string[]): Promise<Squid> {
    const folder = mkdtempSync(join(tmpdir(), "holdfast-squid-"));
    const logs = join(folder, "logs");
    mkdirSync(logs);
    // It gives up being root.
    chmodSync(folder, 0o755);
    chmodSync(logs, 0o777);
    const hash = execFileSync("openssl", ["passwd", "-apr1", "-stdin"], {
      input: login.password,
      encoding: "utf8",
    });
    writeFileSync(join(folder, "users"), `${login.name}:${hash}`);
    writeFileSync(join(folder, "hosts"), hosts.map((host) => `127.0.0.1 ${host}\n`).join(""));
    const port = await freePort();
    const settings = [
      `http_port 127.0.0.1:${port}`,
      `access_log stdio:${logs}/access.log`,
      `cache_log ${logs}/cache.log`,
      `hosts_file ${folder}/hosts`,
      `auth_param basic program ${basicAuth} ${folder}/users`,
      "auth_param basic children 1",
      "auth_param basic realm test",
      "acl known proxy_auth REQUIRED",
      `acl places dstdomain -n ${hosts.join(" ")} 127.0.0.1`,
      "http_access deny !places",
      "http_access allow CONNECT known",
      "http_access deny all",
      "cache deny all",
      "cache_mem 4 MB",
      "pid_filename none",
      "pinger_enable off",
      "netdb_filename none",
      "visible_hostname squid.test",
      "max_filedescriptors 512",
      "shutdown_lifetime 0 seconds",
      `coredump_dir ${logs}`,
    ];
    writeFileSync(join(folder, "squid.conf"), `${settings.join("\n")}\n`);
    const child = spawn("squid", ["-N", "-f", join(folder, "squid.conf")], { stdio: "ignore" });
    const squid = new Squid(port, folder, child);
    while (!(await isOpen(port))) {
      if (child.exitCode !== null) throw new Error(`squid ended: ${squid.#read("cache.log")}`);
      await pause(50);
    }
    return squid;
  }

  /** What it was asked for: "TCP_TUNNEL/200 ... CONNECT host:port ...", a line each. */
  get log(): string {
    return this.#read("access.log");
  }

  #read(name: string): string {
    try {
      return readFileSync(join(this.#folder, "logs", name), "utf8");
    } catch {
      return "";
    }
  }

  async stop(): Promise<void> {
    if (this.#child.exitCode === null && this.#child.signalCode === null) {
      this.#child.kill("SIGTERM");
      await once(this.#child, "close");
    }
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

async function isOpen(port: number): Promise<boolean> {
  const socket = net.connect(port, "127.0.0.1");
  const open = await Promise.race([
    once(socket, "connect").then(() => true),
    once(socket, "close").then(() => false),
  ]).catch(() => false);
  socket.destroy();
  return open;
}
