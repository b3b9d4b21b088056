// A version of a path as a line for people, and as a plain object.

import { timeText } from "../agent/inspect/entryInfo.ts";
import type { PathVersion } from "../fs/view/ports.ts";
import { formatBytes, formatCount } from "./cli/units.ts";

/** When it came, in which snapshot, what it is, how long it stayed. */
export function historyLine({ time, until, snapshots, snapshot, kind, size, reason }: PathVersion): string {
  const stayed = snapshots === 1 ? "" : ` until ${until} (${formatCount(snapshots, "snapshot")})`;
  const bytes = kind === "file" || kind === "directory" ? ` ${formatBytes(size)}` : "";
  const why = reason === undefined ? "" : `: ${reason.message}`;
  return `${time} ${snapshot.slice(0, 16)} ${kind}${bytes}${why}${stayed}`;
}

/** `mtime` is RFC 3339 with nanoseconds, or absent. */
export function historyInfo(version: PathVersion): object {
  const { mtimeNs, hash, reason, ...rest } = version;
  return {
    ...rest,
    ...(mtimeNs === 0n ? {} : { mtime: timeText(timestampOf(mtimeNs)) }),
    ...(hash === undefined ? {} : { hash }),
    ...(reason === undefined ? {} : { reason: reason.message }),
  };
}

function timestampOf(ns: bigint): { readonly seconds: number; readonly nanoseconds: number } {
  const nanoseconds = ((ns % nanosecondsEach) + nanosecondsEach) % nanosecondsEach;
  return { seconds: Number((ns - nanoseconds) / nanosecondsEach), nanoseconds: Number(nanoseconds) };
}

const nanosecondsEach = 1_000_000_000n;
