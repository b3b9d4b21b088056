// The gateway's logger, heard by its jobs: what is said while a job works is in that job's log too.

import type { Logger } from "pino";
import type { JobLine } from "./jobLog.ts";

const levels: Readonly<Record<string, JobLine["level"]>> = {
  info: "info",
  warn: "warn",
  error: "error",
  fatal: "error",
};

/** The same logger; `heard` is told of each line of level info or graver, whatever level the logger itself has. */
export function jobLogger(
  logger: Logger,
  heard: (level: JobLine["level"], args: readonly unknown[]) => void,
): Logger {
  return new Proxy(logger, {
    get(target, name) {
      const value: unknown = Reflect.get(target, name, target);
      if (typeof value !== "function") return value;
      const level = typeof name === "string" ? levels[name] : undefined;
      const call = value as (...args: unknown[]) => unknown;
      if (level === undefined) return call.bind(target);
      return (...args: unknown[]) => {
        heard(level, args);
        return call.apply(target, args);
      };
    },
    set: (target, name, value) => Reflect.set(target, name, value, target),
  });
}
