// What a drive says while nobody waits for it: one line on stderr.

import type { FuseLogger } from "../../fs/fuse/driver.ts";

function line(level: string, detail: object, message: string): void {
  const { err, ...facts } = detail as { err?: unknown };
  const why = err instanceof Error ? `: ${err.message}` : "";
  const rest = Object.keys(facts).length === 0 ? "" : ` ${JSON.stringify(facts)}`;
  process.stderr.write(`holdfast: ${level}: ${message}${why}${rest}\n`);
}

export const driveLogger: FuseLogger = {
  info: () => undefined,
  warn: (detail, message) => line("warning", detail, message),
  error: (detail, message) => line("error", detail, message),
};
