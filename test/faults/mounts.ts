// What is mounted on this machine, and taking it away.

import { readFileSync } from "node:fs";
import { pauseSync, runTool } from "./tearDown.ts";

export function mounted(folder: string): boolean {
  // mountinfo writes space, tab, newline and backslash as three octal digits.
  const written = folder.replace(
    /[ \t\n\\]/g,
    (char) => `\\${char.charCodeAt(0).toString(8).padStart(3, "0")}`,
  );
  return readFileSync("/proc/self/mountinfo", "utf8").includes(` ${written} `);
}

export function unmountFolder(folder: string): void {
  for (let tries = 0; mounted(folder); tries++) {
    try {
      runTool("umount", folder);
    } catch (error) {
      if (tries === 20) throw error;
      pauseSync(100); // a process that was just killed may still be closing its files
    }
  }
}
