// Real database servers in a folder, reached by a socket in it alone.

import { execFileSync, spawn } from "node:child_process";
import { chownSync, existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";

export type Database = {
  /** Words of a shell that runs the server's own client on a database of it; SQL comes on stdin. */
  readonly client: (name: string) => string;
  /** Words of a shell that print a dump of a database. */
  readonly dump: (name: string) => string;
  readonly stop: () => void | Promise<void>;
};

/** PostgreSQL's programs; undefined where it is not installed. */
export const postgresPrograms = ((): string | undefined => {
  const all = "/usr/lib/postgresql";
  const versions = existsSync(all) ? readdirSync(all) : [];
  return versions.map((version) => join(all, version, "bin")).find((bin) => existsSync(join(bin, "initdb")));
})();

export const hasMariaDb = existsSync("/usr/sbin/mariadbd") && existsSync("/usr/bin/mariadb-dump");

/** It refuses to run as root. */
const nobody = 65_534;

export async function startPostgres(folder: string): Promise<Database> {
  const bin = postgresPrograms as string;
  const asNobody = process.getuid?.() === 0;
  if (asNobody) chownSync(folder, nobody, nobody);
  const run = (program: string, ...args: string[]): void => {
    const words = [join(bin, program), "-D", join(folder, "data"), ...args];
    const as = ["setpriv", `--reuid=${nobody}`, `--regid=${nobody}`, "--clear-groups"];
    const [first, ...rest] = asNobody ? [...as, ...words] : words;
    execFileSync(first as string, rest, { stdio: "ignore", cwd: folder });
  };
  run("initdb", "-U", "postgres", "-A", "trust", "--no-sync", "--no-instructions");
  const options = `-c listen_addresses='' -c unix_socket_directories=${folder} -c fsync=off`;
  run("pg_ctl", "-w", "-l", join(folder, "log"), "-o", options, "start");
  const at = `-h ${folder} -U postgres`;
  return {
    client: (name) => `${bin}/psql ${at} -q -A -t -v ON_ERROR_STOP=1 ${name}`,
    dump: (name) => `${bin}/pg_dump ${at} ${name}`,
    stop: () => run("pg_ctl", "-m", "immediate", "stop"),
  };
}

export async function startMariaDb(folder: string): Promise<Database> {
  const data = join(folder, "data");
  const socket = join(folder, "socket");
  const as = ["--no-defaults", `--datadir=${data}`, ...(process.getuid?.() === 0 ? ["--user=root"] : [])];
  execFileSync(
    "/usr/bin/mariadb-install-db",
    [...as, "--auth-root-authentication-method=normal", "--skip-test-db"],
    {
      stdio: "ignore",
    },
  );
  const server = spawn("/usr/sbin/mariadbd", [...as, `--socket=${socket}`, "--skip-networking"], {
    stdio: "ignore",
  });
  const gone = new Promise<void>((resolve) => server.once("exit", () => resolve()));
  while (!existsSync(socket)) {
    if (server.exitCode !== null) throw new Error(`mariadbd ended with ${server.exitCode}`);
    await pause(50);
  }
  const at = `--no-defaults --socket=${socket} -u root`;
  return {
    client: (name) => `mariadb ${at} --batch --skip-column-names ${name}`,
    dump: (name) => `mariadb-dump ${at} --single-transaction --skip-dump-date ${name}`,
    stop: async () => {
      server.kill("SIGKILL");
      await gone;
    },
  };
}
