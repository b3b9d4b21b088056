// Times as HTTP writes them (RFC 9110, section 5.6.7).

const million = 1_000_000n;
/** 9999-12-31T23:59:59Z: later years have no form. */
const latestMs = 253_402_300_799_000;
const earliestMs = -62_167_219_200_000;

/** "Sun, 06 Nov 1994 08:49:37 GMT" of nanoseconds since 1970, in whole seconds; undefined for a year that has no form. */
export function httpDate(timeNs: bigint): string | undefined {
  return dateOf(timeNs)?.toUTCString();
}

/** "1994-11-06T08:49:37Z"; undefined as above. */
export function isoDate(timeNs: bigint): string | undefined {
  return dateOf(timeNs)
    ?.toISOString()
    .replace(/\.\d+Z$/, "Z");
}

function dateOf(timeNs: bigint): Date | undefined {
  const ms = Math.floor(Number(timeNs / million) / 1000) * 1000;
  return ms >= earliestMs && ms <= latestMs ? new Date(ms) : undefined;
}

/** Seconds since 1970 of a date header; undefined for anything that is no date. */
export function parseHttpDate(text: string): number | undefined {
  // Only what begins like one of the three forms: the parser of the language takes nearly anything.
  if (!/^(Mon|Tue|Wed|Thu|Fri|Sat|Sun)[a-z]*,? /.test(text)) return undefined;
  const ms = Date.parse(/GMT$/.test(text) ? text : `${text} GMT`);
  return Number.isNaN(ms) ? undefined : Math.floor(ms / 1000);
}
