// What installing and uninstalling do, one thing after the other, each told before it is done; with --dry-run told alone.

import {
  chmodSync,
  closeSync,
  existsSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import type { CommandContext } from "../cli/command.ts";
import { systemProgram } from "./systemctl.ts";
import { writtenBy } from "./units.ts";

export type Step = { readonly says: string; readonly does: () => Promise<unknown> | unknown };

/** Does them in order. What was done stays done where one fails: each looks at what is there, so the command can be given again. */
export async function takeSteps(steps: readonly Step[], { args, output }: CommandContext): Promise<void> {
  const isDry = args.flag("dry-run");
  for (const { says, does } of steps) {
    output.line(isDry ? `Would: ${says}` : says);
    output.event({ event: "step", says, done: !isDry });
    if (!isDry) await does();
  }
}

/** `systemctl WORDS` as a step. */
export function systemctlStep(...words: readonly string[]): Step {
  return { says: `systemctl ${words.join(" ")}`, does: () => systemProgram("systemctl", ...words) };
}

/** Where units of the machine's own are; packages bring theirs elsewhere. */
const ownUnits = "/etc/systemd/system";
const packagedUnits: readonly string[] = ["/usr/lib/systemd/system", "/lib/systemd/system"];

/** True where a package brought the unit. */
export function isPackaged(unit: string): boolean {
  return packagedUnits.some((folder) => existsSync(join(folder, unit)));
}

/** The path of a unit, or of a file in a unit's folder, that `service install` writes. */
export function ownUnitPath(file: string): string {
  return join(ownUnits, file);
}

/** True where the file is one that `service install` wrote. */
export function isWritten(path: string): boolean {
  return existsSync(path) && readFileSync(path, "utf8").startsWith(writtenBy);
}

/** Puts a whole file in its place; none where the same is there already. */
export function fileStep(path: string, text: string): Step[] {
  if (existsSync(path) && readFileSync(path, "utf8") === text) return [];
  const does = (): void => {
    mkdirSync(dirname(path), { recursive: true });
    const temporary = `${path}.new`;
    writeFileSync(temporary, text);
    chmodSync(temporary, 0o644);
    const fd = openSync(temporary, "r");
    fsyncSync(fd);
    closeSync(fd);
    renameSync(temporary, path);
  };
  return [{ says: `write ${path}`, does }];
}
