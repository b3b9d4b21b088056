// Root's commands on a directory of another user, such as that of a service: they go on as that user, so that nothing is left in it that
// the service may not write, and keep rights of root's, so that they may read what root was told to (docs/packages.md).
//
// Invariant: nothing that the directory's user could have written is run with more rights than that user's service has. An agent's
// config.toml may name commands (docs/hooks.md), so the agent's commands keep the one right to read everything.
//
// Node cannot change its user and keep its rights; setpriv(1) of util-linux starts the same command anew, as the same process.

import { existsSync, readFileSync, statSync } from "node:fs";
import type { Arguments } from "../cli/arguments.ts";
import type { CommandSpec } from "../cli/command.ts";
import { dataFolder, stateFolder } from "../locations.ts";

/** Under sudo the user's cache is root's, or another's: what is kept there would be run by them. */
const notHanded: readonly string[] = ["NODE_COMPILE_CACHE", "XDG_CACHE_HOME"];

/** Does not return where the command goes on as another user. */
export function goOnAsOwner(command: CommandSpec, args: Arguments, environment: NodeJS.ProcessEnv): void {
  if (process.platform !== "linux" || process.getuid?.() !== 0 || command.staysRoot === true) return;
  const named = directoryOf(command, args, environment);
  const setpriv = ["/usr/bin/setpriv", "/bin/setpriv"].find((path) => existsSync(path));
  if (named === undefined || setpriv === undefined || !existsSync(named.directory)) return;
  const { uid, gid } = statSync(named.directory);
  if (uid === 0 || !isKnown(uid)) return;
  const rights = rightsOf(readFileSync("/proc/self/status", "latin1")).filter(
    (right) => !mayRunCommands(command) || right === CAP_DAC_READ_SEARCH,
  );
  const all = ["-all", ...rights.map((number) => `+cap_${number}`)].join(",");
  const words = [
    ...["setpriv", `--reuid=${uid}`, `--regid=${gid}`, "--clear-groups"],
    ...[`--inh-caps=${all}`, `--ambient-caps=${all}`, "--"],
    ...[process.execPath, ...process.execArgv, ...process.argv.slice(1)],
  ];
  const handed = Object.entries(environment).filter(([name]) => !notHanded.includes(name));
  // The usual place of root is not that of others.
  process.execve?.(setpriv, words, { ...Object.fromEntries(handed), [named.variable]: named.directory });
}

const CAP_DAC_READ_SEARCH = 2;
const CAP_SETUID = 7;

/** Enrolling is the one that runs nothing of the directory's. */
function mayRunCommands({ path }: CommandSpec): boolean {
  return path[0] === "agent" && path[1] !== "enroll";
}

/** The directory that the command works on, and the variable that names it to others. */
function directoryOf(
  { options }: CommandSpec,
  args: Arguments,
  environment: NodeJS.ProcessEnv,
): { readonly directory: string; readonly variable: string } | undefined {
  const has = (name: string): boolean => options.some((option) => option.name === name);
  if (has("data"))
    return { directory: dataFolder(args.text("data"), environment), variable: "HOLDFAST_DATA" };
  if (has("state"))
    return { directory: stateFolder(args.text("state"), environment), variable: "HOLDFAST_STATE" };
  return undefined;
}

/** A user of this machine. A directory from elsewhere may belong to a number that is nobody here. */
function isKnown(uid: number): boolean {
  return readFileSync("/etc/passwd", "latin1")
    .split("\n")
    .some((row) => row.split(":")[2] === String(uid));
}

/** The numbers of the capabilities that the process may use, from its /proc/PID/status. */
export function rightsOf(status: string): number[] {
  const [, hex = "0"] = /^CapPrm:\s*([0-9a-f]{1,16})$/m.exec(status) ?? [];
  const bits = BigInt(`0x${hex}`);
  return Array.from({ length: 64 }, (_, number) => number).filter(
    (number) => ((bits >> BigInt(number)) & 1n) === 1n,
  );
}

/** True in a process that root began and that goes on as another user, with root's rights. What it makes elsewhere should be root's. */
export function isRootAsOwner(): boolean {
  if (process.platform !== "linux" || process.getuid?.() === 0) return false;
  return rightsOf(readFileSync("/proc/self/status", "latin1")).includes(CAP_SETUID);
}
