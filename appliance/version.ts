// The version of this program and which of its packages this is, from its package.json.

import { readFileSync } from "node:fs";

type Package = { readonly name: string; readonly version: string; readonly edition?: string };

/** Walks up from here: sources and the build lie at different depths below package.json. */
function readPackage(): Package {
  for (let folder = new URL("./", import.meta.url); ; folder = new URL("../", folder)) {
    try {
      const found = JSON.parse(readFileSync(new URL("package.json", folder), "utf8")) as Package;
      if (found.name === "holdfast") return found;
    } catch (error) {
      if (folder.pathname === "/") throw error;
    }
  }
}

const own = readPackage();

export const version = own.version;

/** "agent": the program of the package holdfast-agent, which has nothing of the gateway (docs/packages.md). */
export const edition: "whole" | "agent" = own.edition === "agent" ? "agent" : "whole";
