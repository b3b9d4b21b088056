// The guard's rules (docs/guard.md). Pure: an item's history and the figures of its newest snapshot in, what is wrong with it out.

import type { BackupFigures } from "../../ingest/wire/figures.ts";
import type { GuardRule, GuardThresholds } from "./thresholds.ts";
import { median, usualUpTo } from "./usual.ts";

/** What a gateway counts of a snapshot without keys. */
export type CountedFigures = {
  readonly chunks: number;
  readonly newChunks: number;
  readonly goneChunks: number;
  readonly uploadedBytes: number;
  readonly rawBytes: number;
};

/** What stays of a snapshot. Shares are numbers from 0 up. */
export type HistoryRow = {
  /** 64 hex digits. */
  readonly snapshot: string;
  readonly chunks: number;
  /** As the agent says; 0 where it says nothing. */
  readonly files: number;
  readonly rewritten: number;
  readonly renamed: number;
  readonly vanished: number;
  /** Stored content, and what of it did not shrink, as the gateway counted. */
  readonly bytes: number;
  readonly rawBytes: number;
  /** The same as the agent says. */
  readonly agentBytes: number;
  readonly agentRawBytes: number;
  /** Doubted: since a hold that nobody accepted. Accepted: somebody said that it was honest. */
  readonly state: "good" | "accepted" | "doubted";
};

/** Percentages; `usual` null where the rule asks for none. */
export type Finding = {
  readonly rule: GuardRule;
  readonly share: number;
  readonly threshold: number;
  readonly usual: number | null;
};

export type Judgement = {
  readonly findings: readonly Finding[];
  /** The first snapshot that is doubted: the newest one, or where creeping began. */
  readonly since: string;
};

const filesMin = 10;
const chunksMin = 8;
/** Less new content than this says nothing about what it is like. */
const rawBytesMin = 32 * 1024;
const rawShareMin = 0.7;
const rawAboveUsual = 0.25;
/** Snapshots before which a sudden change cannot be told from what the item always does. */
const rowsForSudden = 3;
const windowRows = 12;
const baseRowsMin = 5;
/** Without raw content, creeping needs so many times the share. */
const creepingInAny = 3;

/** Rows that are kept: 64 that say what is usual, and the newest ones that are summed up. */
export const historyRowsMax = 64 + windowRows;

/** The row of a snapshot. `before`: files and chunks of the one that it is compared with; undefined for an item's first. */
export function historyRow(
  snapshot: string,
  counted: CountedFigures,
  said: BackupFigures | undefined,
  before: { readonly chunks: number } | undefined,
): HistoryRow {
  const shares = before === undefined ? nothingBefore : sharesOf(counted, said, before.chunks);
  return {
    snapshot,
    chunks: counted.chunks,
    files: said?.files ?? 0,
    ...shares,
    bytes: counted.uploadedBytes,
    rawBytes: counted.rawBytes,
    agentBytes: said?.newBytes ?? 0,
    agentRawBytes: said?.rawBytes ?? 0,
    state: "good",
  };
}

const nothingBefore = { rewritten: 0, renamed: 0, vanished: 0 };

function sharesOf(
  { newChunks, goneChunks }: CountedFigures,
  said: BackupFigures | undefined,
  chunksBefore: number,
): Pick<HistoryRow, "rewritten" | "renamed" | "vanished"> {
  // Of a few chunks, each of which holds many files, no share means anything.
  const ofChunks = (count: number): number => (chunksBefore < chunksMin ? 0 : share(count, chunksBefore));
  // Of the files before some are gone; what is there besides the new ones was there before.
  const filesBefore = said === undefined ? 0 : said.files - said.added + said.removed;
  const ofFiles = (count: number): number => share(count, filesBefore);
  return {
    rewritten: Math.max(
      ofChunks(Math.min(newChunks, goneChunks)),
      said === undefined ? 0 : ofFiles(said.changed + said.renamed),
    ),
    renamed: said === undefined ? 0 : ofFiles(said.renamed),
    vanished: Math.max(
      ofChunks(goneChunks - newChunks),
      said === undefined ? 0 : ofFiles(said.removed - said.added),
    ),
  };
}

function share(count: number, of: number): number {
  return count <= 0 || of <= 0 ? 0 : Math.min(count / of, 1);
}

/** `history`: the rows before, the oldest first, without doubted ones. */
export function judge(
  history: readonly HistoryRow[],
  row: HistoryRow,
  thresholds: GuardThresholds,
): Judgement {
  const baseRows = Math.max(Math.min(baseRowsMin, history.length), history.length - (windowRows - 1));
  const base = history.slice(0, baseRows);
  const findings: Finding[] = [];
  const { chunks = 0, files = 0 } = history.at(-1) ?? {};
  const found = (rule: GuardRule, value: number, usual: number | undefined, times = 1): boolean => {
    const threshold = thresholds[rule] * times;
    const few =
      value * Math.max(files, row.files) < filesMin && value * Math.max(chunks, row.chunks) < chunksMin;
    if (few || thresholds[rule] === 0 || value * 100 < threshold) return false;
    findings.push({
      rule,
      share: percent(value),
      threshold,
      usual: usual === undefined ? null : percent(usual),
    });
    return true;
  };
  if (thresholds.off) return { findings, since: row.snapshot };
  for (const rule of ["rewritten", "renamed", "vanished"] as const) {
    const usual = usualUpTo(base.map((each) => each[rule]));
    if (usual === undefined || history.length < rowsForSudden || row[rule] <= usual) continue;
    found(rule, row[rule], usual);
  }
  if (isRaw(row, base)) found("encrypted", row.rewritten, undefined);
  // What was accepted, and all before it, creeps no more.
  const accepted = history.findLastIndex(({ state }) => state === "accepted");
  const window = [...history.slice(Math.max(baseRows, accepted + 1)), row];
  const raw = crept(
    window.filter((each) => isRaw(each, base)),
    rawRewritten,
    median(base.map(rawRewritten)),
  );
  const sudden = findings.length > 0;
  if (sudden || (raw.rows.length >= 2 && found("creeping", raw.sum, undefined))) {
    return { findings, since: (raw.rows[0] ?? row).snapshot };
  }
  const usual = usualUpTo(base.map(({ rewritten }) => rewritten));
  if (usual === undefined) return { findings, since: row.snapshot };
  const any = crept(window, ({ rewritten }) => rewritten, usual);
  const isCreeping = any.rows.length >= rowsForSudden && found("creeping", any.sum, usual, creepingInAny);
  return { findings, since: (isCreeping ? any.rows[0] : undefined)?.snapshot ?? row.snapshot };
}

/** The rows in which a share is above what it may be, and by how much in all. */
function crept(
  rows: readonly HistoryRow[],
  shareOf: (row: HistoryRow) => number,
  most: number,
): { readonly rows: readonly HistoryRow[]; readonly sum: number } {
  const above = rows.filter((row) => shareOf(row) > most);
  return { rows: above, sum: above.reduce((sum, row) => sum + shareOf(row) - most, 0) };
}

/** Which part of an item was rewritten by what does not shrink. */
function rawRewritten(row: HistoryRow): number {
  const [counted, said] = [
    rawShare([row], "bytes", "rawBytes"),
    rawShare([row], "agentBytes", "agentRawBytes"),
  ];
  return row.rewritten * Math.max(counted ?? 0, said ?? 0);
}

/** Whether new content did not shrink, where the item's content does; as the gateway counted, or as the agent says. */
function isRaw(row: HistoryRow, base: readonly HistoryRow[]): boolean {
  return (
    [
      ["bytes", "rawBytes"],
      ["agentBytes", "agentRawBytes"],
    ] as const
  ).some(([bytes, raw]) => {
    const [now, before] = [rawShare([row], bytes, raw), rawShare(base, bytes, raw)];
    if (now === undefined || before === undefined) return false;
    return now >= rawShareMin && now >= before + rawAboveUsual;
  });
}

/** Which part of new content does not shrink, as the gateway counted, or else as the agent says; undefined where there was too little. */
export function usualRaw(rows: readonly HistoryRow[]): number | undefined {
  return rawShare(rows, "bytes", "rawBytes") ?? rawShare(rows, "agentBytes", "agentRawBytes");
}

function rawShare(
  rows: readonly HistoryRow[],
  bytes: "bytes" | "agentBytes",
  raw: "rawBytes" | "agentRawBytes",
): number | undefined {
  const total = rows.reduce((sum, row) => sum + row[bytes], 0);
  return total < rawBytesMin ? undefined : rows.reduce((sum, row) => sum + row[raw], 0) / total;
}

function percent(value: number): number {
  return Math.round(value * 1000) / 10;
}
