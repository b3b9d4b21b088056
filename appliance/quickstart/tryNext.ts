// What quickstart prints at the end: where the drive is, three commands that work as they stand, where data and keys are.

import { join } from "node:path";
import type { Output } from "../cli/output/output.ts";
import { programPath } from "../programPath.ts";
import { shellWord } from "../shellWord.ts";
import type { Layout } from "./layout.ts";

/** How this program was called, so that it can be called again. */
export function callOf(environment: NodeJS.ProcessEnv): string {
  if (environment.npm_lifecycle_event !== undefined) return "npm run -s holdfast --";
  return shellWord(programPath(environment));
}

export type QuickstartResult = {
  readonly layout: Layout;
  /** Absolute, text. */
  readonly path: string;
  /** Folder of the item in the drive, undefined where nothing could be mounted. */
  readonly driveFolder: string | undefined;
  readonly environment: NodeJS.ProcessEnv;
  /** As it was given, undefined for the usual one. */
  readonly dir: string | undefined;
};

/** Three commands to try. */
export function commandsToTry({ layout, path, driveFolder, environment }: QuickstartResult): string[] {
  const call = callOf(environment);
  const state = `--state ${shellWord(layout.agent)}`;
  const look =
    driveFolder === undefined
      ? `${call} agent ls ${shellWord(`latest:${path}`)} ${state}`
      : `ls -l ${shellWord(join(driveFolder, "latest", path))}`;
  return [
    look,
    `${call} agent restore ${shellWord(`latest:${path}`)} --target /tmp/holdfast-restored ${state}`,
    `${call} agent backup ${shellWord(path)} ${state}`,
  ];
}

/** Prints all of it. */
export function printResult(result: QuickstartResult, output: Output): void {
  const { layout, driveFolder, environment, dir } = result;
  const commands = commandsToTry(result);
  output.line();
  if (driveFolder !== undefined) output.line(`Your backups are a drive now:\n  ${driveFolder}\n`);
  output.line("Try next, in another terminal:");
  for (const command of commands) output.line(`  ${command}`);
  output.line(`\nData and keys are below ${layout.root}:`);
  output.line(`  ${layout.gateway}  all backups, encrypted`);
  output.line(`  ${layout.agent}  this machine's key`);
  output.line(`  ${layout.password}  the account's password`);
  output.line(
    `  ${layout.accountRecoveryKey}  opens the backups when the password is lost: keep a copy elsewhere`,
  );
  const remove = `${callOf(environment)} quickstart --remove${dir === undefined ? "" : ` --dir ${shellWord(dir)}`}`;
  output.line(
    `\nCtrl-C unmounts and stops; run again, and it goes on from here. Take it all away: ${remove}`,
  );
  output.event({
    event: "ready",
    drive: driveFolder ?? null,
    try: commands,
    dir: layout.root,
    data: layout.gateway,
  });
}
