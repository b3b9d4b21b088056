// The version of this program, from its package.

import { readFileSync } from "node:fs";

/** Walks up from here: sources and the build lie at different depths below package.json. */
function readVersion(): string {
  for (let folder = new URL("./", import.meta.url); ; folder = new URL("../", folder)) {
    try {
      const { name, version } = JSON.parse(readFileSync(new URL("package.json", folder), "utf8")) as {
        name: string;
        version: string;
      };
      if (name === "holdfast") return version;
    } catch (error) {
      if (folder.pathname === "/") throw error;
    }
  }
}

export const version = readVersion();
