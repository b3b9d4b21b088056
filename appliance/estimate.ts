// How long work would take, for dry runs: bytes at a rate that was measured here, or at one that is assumed, which is then said.

import { formatBytes, formatDuration } from "./cli/units.ts";

export type Rate = {
  readonly bytesPerSecond: number;
  readonly from: "measured" | "assumed";
  /** Where it comes from, for people. */
  readonly words: string;
};

export type Estimate = { readonly seconds: number; readonly rate: Rate };

const megabit = 1e6 / 8;

/** Where nothing could be measured. */
export const assumedRates = {
  disk: { bytesPerSecond: 100e6, from: "assumed", words: "assumed: a hard disk" },
  network: { bytesPerSecond: 900 * megabit, from: "assumed", words: "assumed: a network of 1 Gbit/s" },
  line: { bytesPerSecond: 10 * megabit, from: "assumed", words: "assumed: a line of 10 Mbit/s" },
} as const satisfies Readonly<Record<string, Rate>>;

/** The rate of what was read here, or `otherwise` where too little was read to know one. `what`: "8 packs". */
export function rateOf(
  sample: { readonly bytes: number; readonly seconds: number } | null,
  what: string,
  otherwise: Rate,
): Rate {
  if (sample === null || sample.bytes === 0 || sample.seconds <= 0) return otherwise;
  const words = `measured on ${what}, ${formatBytes(sample.bytes)}`;
  return { bytesPerSecond: sample.bytes / sample.seconds, from: "measured", words };
}

/** How long so many bytes take. */
export function estimateOf(bytes: number, rate: Rate): Estimate {
  return { seconds: bytes / rate.bytesPerSecond, rate };
}

/** "about 12 min 30 s, at 95.1 MiB/s (measured on 8 packs, 128 MiB)" */
export function estimateText({ seconds, rate }: Estimate): string {
  return `${durationText(seconds)}, at ${formatBytes(Math.round(rate.bytesPerSecond))}/s (${rate.words})`;
}

/** "about 12 s", "less than a second" */
export function durationText(seconds: number): string {
  return seconds < 1 ? "less than a second" : `about ${formatDuration(seconds)}`;
}

/** Fields of a `done` event. */
export function estimateJson({ seconds, rate }: Estimate): Record<string, unknown> {
  return {
    eta_seconds: tenths(seconds),
    eta_from: rate.from,
    eta_bytes_per_second: Math.round(rate.bytesPerSecond),
  };
}

/** Of what takes its time whatever the bytes are. */
export function timeJson(seconds: number, from: Rate["from"]): Record<string, unknown> {
  return { eta_seconds: tenths(seconds), eta_from: from };
}

function tenths(seconds: number): number {
  return Math.round(seconds * 10) / 10;
}
