// How many files this process may have open.

import { readFileSync } from "node:fs";

const usual = 1024;

/** As the system says now; the usual number where it does not tell. */
export function openFilesMax(): number {
  try {
    const match = /^Max open files\s+(?<soft>\d+|unlimited)/m.exec(readFileSync("/proc/self/limits", "utf8"));
    const soft = match?.groups?.soft;
    return soft === "unlimited" ? Number.MAX_SAFE_INTEGER : Number(soft ?? usual);
  } catch {
    return usual;
  }
}
