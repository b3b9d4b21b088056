// The file that starts this program.

import { fileURLToPath } from "node:url";

/**
 * bin/holdfast beside the sources or beside the build; the single file of the agent names itself in HOLDFAST_PROGRAM, since what it unpacked
 * may be deleted.
 */
export function programPath({ HOLDFAST_PROGRAM: single }: NodeJS.ProcessEnv): string {
  if (single?.startsWith("/")) return single;
  const inBuild = import.meta.url.includes("/dist/");
  return fileURLToPath(new URL(inBuild ? "../../bin/holdfast" : "../bin/holdfast", import.meta.url));
}
