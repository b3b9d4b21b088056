// Who had a box when: lines of JSON, each chained to the one before (docs/format.md, section 12.4).
import { createHash } from "node:crypto";
import { asBuffer, toHex } from "../bytes.ts";
import { ErrorCode, HoldfastError } from "../errors.ts";
import { asHex, asInteger, asObject, asText, asTime, parseJson } from "../jsonFields.ts";
import { limits } from "../limits.ts";

export const custodyEvents = [
  "prepared",
  "started",
  "extended",
  "sealed",
  "reopened",
  "note",
  "received",
  "importing",
  "imported",
  "abandoned",
] as const;
export type CustodyEvent = (typeof custodyEvents)[number];

export type CustodyEntry = {
  /** From 1. */
  readonly n: number;
  /** RFC 3339. */
  readonly time: string;
  readonly event: CustodyEvent;
  readonly by: string;
  readonly note: string;
};

/** What a log says, and what its next line follows. */
export type CustodyLog = {
  readonly entries: readonly CustodyEntry[];
  /** SHA-256 of all its bytes, hex. */
  readonly sha256: string;
  /** SHA-256 of the last line without its line feed, hex; zeros for none. */
  readonly last: string;
};

const lineFeed = 0x0a;
const zeros = "0".repeat(64);
const what = "a custody log";

/**
 * Reads a log. A last line without its end is a torn one: `bytesWhole` says where it begins.
 * @throws HoldfastError corrupt where lines do not follow each other, limit-exceeded
 */
export function parseCustody(bytes: Uint8Array): CustodyLog & { readonly bytesWhole: number } {
  const text = asBuffer(bytes);
  if (text.length > limits.custodyLinesMax * limits.custodyLineBytesMax) throw tooLong();
  const entries: CustodyEntry[] = [];
  let last = zeros;
  let start = 0;
  for (let end = text.indexOf(lineFeed); end >= 0; end = text.indexOf(lineFeed, start)) {
    if (entries.length === limits.custodyLinesMax) throw tooLong();
    const line = text.subarray(start, end);
    entries.push(parseEntry(line, entries.length + 1, last));
    last = sha256Hex(line);
    start = end + 1;
  }
  return { entries, sha256: sha256Hex(text.subarray(0, start)), last, bytesWhole: start };
}

/**
 * The line that comes next in a log, with its line feed. A note that is too long is cut.
 * @throws HoldfastError limit-exceeded when the log is full
 */
export function nextCustodyLine(log: CustodyLog, entry: Omit<CustodyEntry, "n">): Buffer {
  const n = log.entries.length + 1;
  if (n > limits.custodyLinesMax) throw tooLong();
  const { time, event } = entry;
  // JSON takes at most six bytes for a unit of UTF-16, so that both fit a line.
  const by = entry.by.slice(0, 100);
  const note = entry.note.slice(0, 500);
  const line = Buffer.from(`${JSON.stringify({ n, time, event, by, note, previous: log.last })}\n`);
  if (line.length > limits.custodyLineBytesMax) throw new RangeError("a custody line over its limit");
  return line;
}

function parseEntry(line: Uint8Array, n: number, previous: string): CustodyEntry {
  const json = asObject(parseJson(line, what, limits.custodyLineBytesMax - 1), what);
  const event = custodyEvents.find((known) => known === json.event);
  if (event === undefined) throw new HoldfastError(ErrorCode.corrupt, `${what} has an unknown event`);
  const entry: CustodyEntry = {
    n: asInteger(json.n, `n of ${what}`, 1),
    time: asTime(json.time, `time of ${what}`),
    event,
    by: asText(json.by, `by of ${what}`),
    note: asText(json.note, `note of ${what}`),
  };
  if (entry.n !== n || asHex(json.previous, `previous of ${what}`, 32) !== previous) {
    throw new HoldfastError(ErrorCode.corrupt, `line ${n} of ${what} does not follow the one before`);
  }
  return entry;
}

function sha256Hex(bytes: Uint8Array): string {
  return toHex(createHash("sha256").update(bytes).digest());
}

function tooLong(): HoldfastError {
  return new HoldfastError(ErrorCode.limitExceeded, `${what} has more than ${limits.custodyLinesMax} lines`);
}
