// What is run around a backup (docs/hooks.md): words and limits, as the command line and the configuration file say them.

import { fileURLToPath } from "node:url";

/** A text for /bin/sh. */
export type HookCommand = { readonly text: string; readonly timeoutMs: number };

export const shippedSnapshots = ["btrfs", "lvm", "zfs", "fsfreeze"] as const;
export type ShippedSnapshot = (typeof shippedSnapshots)[number];

/** How snapshots of one source are made and removed. */
export type SnapshotScripts = ShippedSnapshot | { readonly create: string; readonly remove: string };

export type Hooks = {
  readonly before: HookCommand | undefined;
  readonly afterSnapshot: HookCommand | undefined;
  readonly after: HookCommand | undefined;
  /** `auto`: by what each source is on. */
  readonly snapshot: { readonly scripts: SnapshotScripts | "auto"; readonly timeoutMs: number } | undefined;
};

/** `check`: of those that come with the agent. */
export type ScriptStage = "create" | "check" | "remove";
export type Stage = "before" | "after-snapshot" | "after" | ScriptStage;

/** The words that run a script with its one argument. */
export function scriptWords(
  scripts: SnapshotScripts,
  stage: ScriptStage,
  argument: string,
): readonly string[] {
  if (typeof scripts === "string") return shippedWords(scripts, stage, argument);
  if (stage === "check") throw new Error("own scripts have no check");
  return [...shellWords(`${scripts[stage]} "$@"`), "holdfast", argument];
}

function shippedWords(scripts: ShippedSnapshot, stage: ScriptStage, argument: string): readonly string[] {
  return ["/bin/sh", fileURLToPath(new URL(`./${scripts}.sh`, import.meta.url)), stage, argument];
}

export function shellWords(text: string): readonly string[] {
  return ["/bin/sh", "-c", text];
}
