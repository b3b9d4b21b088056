// Reads an audit log: entries in order, and whether all of it is what was written.

import { join } from "node:path";
import { isHoldfastError } from "../../vault/errors.ts";
import { auditFileName, auditFileNumbers, linesOf } from "./auditFiles.ts";
import { type AuditEntry, type AuditHead, type LineSeal, noHead, parseLine } from "./entry.ts";
import type { AuditEvent } from "./events.ts";
import { brokenPlace } from "./findHead.ts";

/** A whole line, or bytes that are none (`broken`). */
type Read = { readonly file: number } & ({ readonly entry: AuditEntry } | { readonly broken: string });

async function* read(
  folder: string,
  seal: LineSeal | undefined,
  numbers: readonly number[],
): AsyncGenerator<Read> {
  for (const file of numbers) {
    // Neighbouring bytes that are no lines are one place.
    let broken: { offset: number; end: number } | undefined;
    const place = (): Read[] => {
      const known = broken;
      broken = undefined;
      return known === undefined
        ? []
        : [{ file, broken: brokenPlace(file, known.offset, known.end - known.offset) }];
    };
    for await (const { offset, bytes, length, ended } of linesOf(join(folder, auditFileName(file)))) {
      const entry = bytes === undefined || !ended ? undefined : entryOf(bytes, seal);
      if (entry === undefined)
        broken = { offset: broken?.offset ?? offset, end: offset + length + (ended ? 1 : 0) };
      else {
        yield* place();
        yield { file, entry };
      }
    }
    yield* place();
  }
}

function entryOf(bytes: Buffer, seal: LineSeal | undefined): AuditEntry | undefined {
  try {
    return parseLine(bytes, seal);
  } catch (error) {
    if (isHoldfastError(error)) return undefined;
    throw error;
  }
}

export type AuditQuery = {
  /** Behind this sequence. */
  readonly after: number;
  /** At this time or later, milliseconds since 1970. */
  readonly sinceMs?: number;
  /** An event, or the beginning of some: "login" is all of "login.…". */
  readonly event?: string;
  /** Entries at most. */
  readonly limit: number;
};

/** `next`: what the following page is `after`; null at the end. */
export type AuditPage = { readonly entries: readonly AuditEntry[]; readonly next: number | null };

/** Entries in order. Lines that are not whole are passed over: `verifyLog` finds those. @throws HoldfastError io-error */
export async function listEntries(
  folder: string,
  seal: LineSeal | undefined,
  { after, sinceMs, event, limit }: AuditQuery,
): Promise<AuditPage> {
  const entries: AuditEntry[] = [];
  for await (const each of read(folder, seal, await filesBehind(folder, seal, after))) {
    if (!("entry" in each)) continue;
    const { entry } = each;
    if (entry.sequence <= after || (event !== undefined && !isOf(entry.event, event))) continue;
    if (sinceMs !== undefined && Date.parse(entry.time) < sinceMs) continue;
    entries.push(entry);
    if (entries.length === limit) return { entries, next: entry.sequence };
  }
  return { entries, next: null };
}

function isOf(event: AuditEvent, wanted: string): boolean {
  return event === wanted || event.startsWith(`${wanted}.`);
}

/** Files without those that end before. */
async function filesBehind(folder: string, seal: LineSeal | undefined, after: number): Promise<number[]> {
  const numbers = await auditFileNumbers(folder);
  if (after === 0) return numbers;
  let first = 0;
  for (let next = 1; next < numbers.length; next++) {
    const { value } = await read(folder, seal, [numbers[next] as number]).next();
    if (value === undefined || !("entry" in value) || value.entry.sequence > after + 1) break;
    first = next;
  }
  return numbers.slice(first);
}

/** A head that somebody else noted. */
export type NotedHead = AuditHead & { readonly by: string };

export type VerifyAnswer = {
  readonly files: number;
  readonly entries: number;
  /** 0 for an empty log. */
  readonly firstSequence: number;
  readonly head: AuditHead;
  readonly headTime: string | null;
  /** Heads that are in the log. */
  readonly heads: readonly NotedHead[];
  /** What shows that the log is not what was written: the first of them. */
  readonly problems: readonly string[];
  readonly problemsInAll: number;
  /** What is no sign of that. */
  readonly notes: readonly string[];
};

export type VerifyProgress = { readonly entries: number };

const problemsMax = 100;

/**
 * Reads all of it. `upTo`: the newest line that counts, where more may be written meanwhile; `heads`: what must be in it.
 * @throws HoldfastError io-error; the signal's reason
 */
export async function verifyLog(
  folder: string,
  seal: LineSeal | undefined,
  options: {
    readonly upTo: AuditHead | undefined;
    readonly heads: readonly NotedHead[];
    readonly onProgress: (progress: VerifyProgress) => void;
    readonly signal: AbortSignal;
  },
): Promise<VerifyAnswer> {
  const { upTo, heads, onProgress, signal } = options;
  const numbers = await auditFileNumbers(folder);
  const problems: string[] = [];
  let problemsInAll = 0;
  const problem = (text: string): void => {
    problemsInAll++;
    if (problems.length < problemsMax) problems.push(text);
  };
  const notes: string[] = [];
  const found = new Map<string, NotedHead>();
  const broken = new Set<string>();
  let firstSequence = 0;
  let head: AuditEntry | undefined;
  let entries = 0;
  for await (const each of read(folder, seal, numbers)) {
    if (!("entry" in each)) {
      broken.add(each.broken);
      continue;
    }
    const { file, entry } = each;
    signal.throwIfAborted();
    entries++;
    if (entries % 1000 === 0) onProgress({ entries });
    const before = head ?? { ...noHead, sequence: entry.sequence - 1, hash: entry.previous };
    if (head === undefined) firstSequence = entry.sequence;
    if (head === undefined && entry.sequence === 1 && entry.previous !== noHead.hash) {
      problem(`line 1 in ${auditFileName(file)} follows a line that is not there`);
    }
    if (entry.sequence !== before.sequence + 1 || entry.previous !== before.hash) {
      problem(`line ${entry.sequence} in ${auditFileName(file)} does not follow line ${before.sequence}`);
    }
    if (entry.event === "log.recovered" && Array.isArray(entry.subject.broken)) {
      for (const place of entry.subject.broken) {
        if (broken.delete(place))
          notes.push(`bytes of a stop at ${place} (file:offset:bytes), noted by line ${entry.sequence}`);
      }
    }
    for (const noted of heads) {
      if (noted.sequence !== entry.sequence) continue;
      if (noted.hash === entry.hash) found.set(noted.by, noted);
      else problem(`line ${entry.sequence} is another one than ${noted.by} noted`);
    }
    head = entry;
    if (upTo !== undefined && entry.sequence >= upTo.sequence) break;
  }
  for (const place of broken) {
    // Nobody has written since: it is what a stop leaves, and the next line will be in a new file.
    if (upTo === undefined && place.startsWith(`${numbers.at(-1)}:`))
      notes.push(`bytes of a stop at ${place} (file:offset:bytes)`);
    else problem(`bytes at ${place} (file:offset:bytes) are no line`);
  }
  for (const { sequence, by } of heads) {
    if (head === undefined || sequence > head.sequence) {
      problem(
        `line ${sequence}, which ${by} noted, is not there: the end was cut off, or this is another log`,
      );
    } else if (sequence < firstSequence)
      notes.push(`line ${sequence}, which ${by} noted, is in a file that is not here`);
  }
  if (firstSequence > 1) notes.push(`lines before ${firstSequence} are in files that are not here`);
  return {
    files: numbers.length,
    entries,
    firstSequence,
    head: head === undefined ? noHead : { sequence: head.sequence, hash: head.hash },
    headTime: head?.time ?? null,
    heads: [...found.values()],
    problems,
    problemsInAll,
    notes,
  };
}
