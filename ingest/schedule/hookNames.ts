// What a definition may say of hooks: names of what the machine has, never commands (docs/security.md, "Hooks").

/** Of a table [hooks.NAME] of the machine. */
export function isHookName(name: string): boolean {
  return /^[a-z0-9][a-z0-9-]{0,63}$/.test(name);
}

/** Ways to snapshot a source that a gateway may choose: none of them stops anybody's work. */
export const definedSnapshots: readonly string[] = ["auto", "btrfs", "lvm", "zfs", "none"];
