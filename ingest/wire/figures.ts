// What an agent says of a backup when it commits it (docs/guard.md): the header Holdfast-Figures, for a gateway that has no keys to see it.

import { ErrorCode, HoldfastError } from "../../vault/errors.ts";

export type BackupFigures = {
  /** In the snapshot. */
  readonly files: number;
  /** Of them, there before with other content. */
  readonly changed: number;
  /** Of them, not there before. */
  readonly added: number;
  /** Of the snapshot before, not there any more. */
  readonly removed: number;
  /** Summed over folders: what came or what went in it, whichever is less. */
  readonly renamed: number;
  /** Plain bytes of the content that was sealed. */
  readonly newBytes: number;
  /** Of them, what did not shrink. */
  readonly rawBytes: number;
  /** Files that could not be read and the like, for the history of jobs; agents of before do not say. */
  readonly warnings?: number;
};

/** Request header, lower case as node:http reports it. */
export const figuresHeader = "holdfast-figures";

const textBytesMax = 1024;
const names = ["files", "changed", "added", "removed", "renamed", "newBytes", "rawBytes"] as const;
const optionalNames = ["warnings"] as const;

/** The headers of a commit; none where there is nothing to say. */
export function figuresHeaders(figures: BackupFigures | undefined): Readonly<Record<string, string>> {
  if (figures === undefined) return {};
  const all = [...names, ...optionalNames].map((name) => [name, figures[name]]);
  return { [figuresHeader]: JSON.stringify(Object.fromEntries(all)) };
}

/** Undefined where the agent says nothing. @throws HoldfastError protocol */
export function parseFigures(text: string | readonly string[] | undefined): BackupFigures | undefined {
  if (text === undefined) return undefined;
  if (typeof text !== "string" || text.length > textBytesMax) throw wrong();
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    throw wrong();
  }
  if (typeof json !== "object" || json === null || Array.isArray(json)) throw wrong();
  const values = json as Record<string, unknown>;
  const there = optionalNames.filter((name) => Object.hasOwn(values, name));
  const figures = Object.fromEntries(
    [...names, ...there].map((name) => {
      const value = Object.hasOwn(values, name) ? values[name] : undefined;
      if (!Number.isSafeInteger(value) || (value as number) < 0) throw wrong();
      return [name, value];
    }),
  );
  return figures as BackupFigures;
}

function wrong(): HoldfastError {
  return new HoldfastError(
    ErrorCode.protocol,
    `the header ${figuresHeader} is not what docs/protocol.md says`,
  );
}
