import { type Measurement, measure } from "./programs.ts";

/** sha256sum of every file below a folder. */
export function sha256sumBelow(folder: string): Promise<Measurement> {
  const hash = 'find "$1" -type f -print0 | xargs -0 sha256sum > /dev/null';
  return measure({ command: "sh", args: ["-c", hash, "sh", folder], role: "sha256sum" });
}
