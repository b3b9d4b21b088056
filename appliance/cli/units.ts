// Sizes, rates and times as people read and write them. In JSON they are bytes, seconds and RFC 3339 instead.

import { ErrorCode, HoldfastError } from "../../vault/errors.ts";

const prefixes = ["", "Ki", "Mi", "Gi", "Ti", "Pi"] as const;

/** "512 B", "1.5 MiB", "23 GiB". */
export function formatBytes(bytes: number): string {
  let value = bytes;
  let step = 0;
  while (value >= 1023.95 && step < prefixes.length - 1) {
    value /= 1024;
    step += 1;
  }
  if (step === 0) return `${bytes} B`;
  return `${value < 10 ? value.toFixed(2) : value < 100 ? value.toFixed(1) : Math.round(value)} ${prefixes[step]}B`;
}

/** "1 file", "12,345 files". */
export function formatCount(count: number, one: string, many = `${one}s`): string {
  // Not toLocaleString, which loads the language data for 10 ms.
  const grouped = String(count).replace(/\B(?=(?:\d{3})+$)/g, ",");
  return `${grouped} ${count === 1 ? one : many}`;
}

/** "0.4 s", "12 s", "3 min 05 s", "2 h 10 min". */
export function formatDuration(seconds: number): string {
  if (seconds < 9.95) return `${seconds.toFixed(1)} s`;
  const whole = Math.round(seconds);
  if (whole < 60) return `${whole} s`;
  const minutes = Math.floor(whole / 60);
  if (minutes < 60) return `${minutes} min ${String(whole % 60).padStart(2, "0")} s`;
  return `${Math.floor(minutes / 60)} h ${String(minutes % 60).padStart(2, "0")} min`;
}

/**
 * A number of bytes from "300", "5MiB", "5 MiB", "5M", "2k" (K, M, G, T alone are IEC as well) or "5MB" (decimal).
 * @throws HoldfastError usage
 */
export function parseBytes(text: string): number {
  const match = /^(?<number>\d+(?:\.\d+)?)\s*(?<prefix>[kmgtp]?)(?<iec>i?)(?<unit>b?)(?:\/s)?$/i.exec(
    text.trim(),
  );
  const { number = "", prefix = "", iec = "", unit = "" } = match?.groups ?? {};
  const wrong = match === null || (prefix === "" && iec !== "");
  const base = prefix !== "" && iec === "" && unit !== "" ? 1000 : 1024;
  const bytes = Number(number) * base ** ["", "k", "m", "g", "t", "p"].indexOf(prefix.toLowerCase());
  if (wrong || !Number.isSafeInteger(Math.round(bytes))) {
    throw new HoldfastError(ErrorCode.usage, `not a size: ${text}`, {
      next: "Write it like 500KiB, 5MiB or 2GiB.",
    });
  }
  return Math.round(bytes);
}

const secondsOf: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3600, d: 86_400 };

/** Seconds from "90s", "30m", "8h" or "7d". @throws HoldfastError usage */
export function parseDuration(text: string): number {
  const match = /^(?<number>\d{1,9})(?<unit>[smhd])$/.exec(text.trim());
  if (match === null) {
    throw new HoldfastError(ErrorCode.usage, `not a length of time: ${text}`, {
      next: "Write it like 90s, 30m, 8h or 7d.",
    });
  }
  return Number(match.groups?.number) * (secondsOf[match.groups?.unit ?? ""] ?? 1);
}
