// systemd, by its own program.

import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { promisify } from "node:util";
import { ErrorCode, HoldfastError } from "../../vault/errors.ts";
import { isRootAsOwner } from "./asOwner.ts";

const run = promisify(execFile);
const callMsMax = 120_000;

/** True where systemd runs this machine. */
export function systemdRuns(): boolean {
  return existsSync("/run/systemd/system");
}

/** True where this process may do what root may. */
export function mayActAsRoot(): boolean {
  return process.getuid?.() === 0 || isRootAsOwner();
}

/**
 * Runs a program of the system, as root where that may be; gives its stdout.
 * @throws HoldfastError unsupported with what the program said
 */
export async function systemProgram(program: string, ...words: readonly string[]): Promise<string> {
  try {
    const { stdout } = await run(program, words, {
      timeout: callMsMax,
      env: { ...process.env, PATH: `${process.env.PATH ?? ""}:/usr/sbin:/usr/bin:/sbin:/bin`, LC_ALL: "C" },
      ...(isRootAsOwner() && { uid: 0, gid: 0 }),
    });
    return stdout;
  } catch (error) {
    const { stderr, message } = error as Error & { stderr?: string };
    const said = (stderr ?? "").trim().split("\n").at(-1) || message;
    throw new HoldfastError(ErrorCode.unsupported, `${program} ${words.join(" ")} failed: ${said}`, {
      next: "Mend what it says, and run this again.",
      cause: error,
    });
  }
}

/** Properties of a unit by name. @throws HoldfastError unsupported */
export async function unitProperties(
  unit: string,
  ...names: readonly string[]
): Promise<Map<string, string>> {
  const text = await systemProgram("systemctl", "show", `--property=${names.join(",")}`, "--", unit);
  return new Map(
    text.split("\n").flatMap((line): [string, string][] => {
      const at = line.indexOf("=");
      return at < 0 ? [] : [[line.slice(0, at), line.slice(at + 1)]];
    }),
  );
}
