// What a job did, as people read it.

import { formatBytes } from "./cli/units.ts";

/** "packs 3, bytes 12.0 MiB"; what is 0 is left out. */
export function figuresText(figures: Readonly<Record<string, number>>): string {
  return Object.entries(figures)
    .filter(([, value]) => value !== 0)
    .map(([name, value]) => `${name.replaceAll("_", " ")} ${shown(name, value)}`)
    .join(", ");
}

function shown(name: string, value: number): string {
  return name.endsWith("bytes") ? formatBytes(value) : String(value);
}
