// What a protected item takes and when (docs/schedules.md): kept by the gateway, obeyed by the agent. Both check it whole: neither trusts
// who it got it from.

import { ErrorCode, HoldfastError } from "../../vault/errors.ts";
import { asArray, asInteger, asObject, asText, type JsonObject } from "../../vault/jsonFields.ts";
import { RateTable } from "../line/rateTable.ts";
import { Calendar } from "./calendar.ts";
import { definedSnapshots, isHookName } from "./hookNames.ts";

/** How much of the machine a backup takes beside others; `low`: what they leave. */
export type Priority = "low" | "normal";
export const priorities: readonly Priority[] = ["low", "normal"];

export type ItemDefinition = {
  readonly enabled: boolean;
  /** Absolute. */
  readonly paths: readonly string[];
  readonly includes: readonly string[];
  readonly excludes: readonly string[];
  readonly includeRegexes: readonly string[];
  readonly excludeRegexes: readonly string[];
  readonly excludeCaches: boolean;
  readonly oneFileSystem: boolean;
  /** A file whose inode alone changed was not. Definitions of before have none. */
  readonly ignoreInodes?: boolean;
  /** Where a table counts, its lowest rate: what an agent obeys that does not know tables. */
  readonly limitUploadBytesPerSecond: number | null;
  /** By time (docs/network.md), in the time zone of the rules. */
  readonly limitUploadTable: string | null;
  /** Names of what the machine has (hookNames.ts). */
  readonly hook: string | null;
  readonly snapshot: string | null;
  /** Null: as the machine's own settings say. */
  readonly priority: Priority | null;
  /** What the output of a program that the machine calls so is taken of, in place of paths. */
  readonly program: string | null;
  readonly rules: readonly string[];
  readonly timeZone: string;
  readonly windows: readonly string[];
  readonly stopAtWindowEnd: boolean;
  readonly jitterSeconds: number;
  /** What was due while the machine was off is passed over, instead of made up for. */
  readonly skipMissed: boolean;
  /** What is due while the machine runs on its battery, or on a line that is paid by volume, waits until that is over. Definitions of before have neither. */
  readonly skipOnBattery?: boolean;
  readonly skipOnMetered?: boolean;
};

/** As a device reads it. */
export type DefinedItem = {
  /** 32 hex digits. */
  readonly id: string;
  readonly name: string;
  /** One more with each change. */
  readonly revision: number;
  readonly definition: ItemDefinition;
};

export const definitionLimits = {
  jsonBytes: 64 * 1024,
  /** All of one device. */
  deviceBytesMax: 4 * 2 ** 20,
  pathsMax: 256,
  pathBytesMax: 4096,
  patternsMax: 512,
  patternCharactersMax: 4096,
  rulesMax: 16,
  windowsMax: 16,
  jitterSecondsMax: 12 * 3600,
} as const;

export const jitterSecondsDefault = 300;

/** A definition with everything left out that can be. */
export function emptyDefinition(paths: readonly string[]): ItemDefinition {
  return {
    enabled: true,
    paths,
    includes: [],
    excludes: [],
    includeRegexes: [],
    excludeRegexes: [],
    excludeCaches: false,
    oneFileSystem: false,
    limitUploadBytesPerSecond: null,
    limitUploadTable: null,
    hook: null,
    snapshot: null,
    priority: null,
    program: null,
    rules: [],
    timeZone: "UTC",
    windows: [],
    stopAtWindowEnd: false,
    jitterSeconds: jitterSecondsDefault,
    skipMissed: false,
  };
}

/**
 * Reads a definition from JSON that came from outside; members that it does not know are left out.
 * @throws HoldfastError corrupt, limit-exceeded: not of this form; usage: a rule, zone or path that cannot be
 */
export function parseDefinition(value: unknown): ItemDefinition {
  const json = asObject(value, "definition");
  const { patternsMax, rulesMax, windowsMax, jitterSecondsMax } = definitionLimits;
  // One that was written before there were tables and priorities has none.
  const { limitUploadBytesPerSecond: limit, limitUploadTable: table = null, priority = null } = json;
  const definition: ItemDefinition = {
    enabled: asFlag(json, "enabled"),
    paths: asTexts(json, "paths", definitionLimits.pathsMax, definitionLimits.pathBytesMax),
    includes: asTexts(json, "includes", patternsMax),
    excludes: asTexts(json, "excludes", patternsMax),
    includeRegexes: asTexts(json, "includeRegexes", patternsMax),
    excludeRegexes: asTexts(json, "excludeRegexes", patternsMax),
    excludeCaches: asFlag(json, "excludeCaches"),
    oneFileSystem: asFlag(json, "oneFileSystem"),
    limitUploadBytesPerSecond: limit === null ? null : asInteger(limit, "limitUploadBytesPerSecond", 1),
    limitUploadTable: table === null ? null : asText(table, "limitUploadTable"),
    ...hooksIn(json),
    priority: priority === null ? null : asPriority(priority),
    rules: asTexts(json, "rules", rulesMax),
    timeZone: asText(json.timeZone, "timeZone"),
    windows: asTexts(json, "windows", windowsMax),
    stopAtWindowEnd: asFlag(json, "stopAtWindowEnd"),
    jitterSeconds: asInteger(json.jitterSeconds, "jitterSeconds", 0, jitterSecondsMax),
    skipMissed: asFlag(json, "skipMissed"),
    ...(json.ignoreInodes !== undefined && { ignoreInodes: asFlag(json, "ignoreInodes") }),
    ...(json.skipOnBattery !== undefined && { skipOnBattery: asFlag(json, "skipOnBattery") }),
    ...(json.skipOnMetered !== undefined && { skipOnMetered: asFlag(json, "skipOnMetered") }),
  };
  if (Buffer.byteLength(JSON.stringify(definition)) > definitionLimits.jsonBytes)
    throw new HoldfastError(
      ErrorCode.limitExceeded,
      `a definition is over ${definitionLimits.jsonBytes} bytes`,
    );
  checkPaths(definition);
  new Calendar(definition);
  RateTable.parse(definition.limitUploadTable ?? "", definition.timeZone);
  return definition;
}

/** Definitions of before there were hooks have none. @throws HoldfastError corrupt, usage */
function hooksIn({
  hook = null,
  snapshot = null,
  program = null,
}: JsonObject): Pick<ItemDefinition, "hook" | "snapshot" | "program"> {
  if (snapshot !== null && !definedSnapshots.includes(asText(snapshot, "snapshot")))
    throw new HoldfastError(ErrorCode.usage, `a definition has no snapshot ${JSON.stringify(snapshot)}`, {
      next: `It may say ${definedSnapshots.join(", ")}; other ways are a hook of the machine (docs/hooks.md).`,
    });
  return {
    hook: nameIn(hook, "hook", "hooks"),
    snapshot: snapshot as string | null,
    program: nameIn(program, "program", "programs"),
  };
}

/** The name of a table of the machine. */
function nameIn(value: unknown, what: string, group: string): string | null {
  if (value === null) return null;
  const name = asText(value, what);
  if (isHookName(name)) return name;
  throw new HoldfastError(ErrorCode.usage, `${JSON.stringify(name)} is no name of a ${what}`, {
    next: `It is the name of a table [${group}.NAME] on the machine (docs/${group}.md): a-z, 0-9 and -.`,
  });
}

function asPriority(value: unknown): Priority {
  const priority = priorities.find((each) => each === value);
  if (priority !== undefined) return priority;
  throw new HoldfastError(ErrorCode.corrupt, `priority is not one of ${priorities.join(", ")}`);
}

/** @throws HoldfastError usage */
function checkPaths({ paths, program }: ItemDefinition): void {
  const wrong = (why: string): HoldfastError =>
    new HoldfastError(ErrorCode.usage, why, { next: "Write absolute paths, like /home." });
  if (program !== null && paths.length > 0)
    throw new HoldfastError(ErrorCode.usage, "the output of a program is an item of its own", {
      next: "Leave the paths out, or the program.",
    });
  if (program === null && paths.length === 0) throw wrong("an item has at least one path");
  for (const path of paths) {
    if (!path.startsWith("/")) throw wrong(`${JSON.stringify(path)} is not an absolute path`);
    if (path.split("/").includes("..")) throw wrong(`${JSON.stringify(path)} has .. in it`);
  }
}

function asFlag(json: JsonObject, name: string): boolean {
  const value = json[name];
  if (typeof value === "boolean") return value;
  throw new HoldfastError(ErrorCode.corrupt, `${name} is not true or false`);
}

function asTexts(
  json: JsonObject,
  name: string,
  countMax: number,
  lengthMax: number = definitionLimits.patternCharactersMax,
): readonly string[] {
  return asArray(json[name], name, countMax).map((each) => {
    const text = asText(each, name);
    if (Buffer.byteLength(text) > lengthMax)
      throw new HoldfastError(ErrorCode.limitExceeded, `${name} has an entry of over ${lengthMax} bytes`);
    // No word of a command line, and no name of a file, can hold it. A lone surrogate is no text.
    if (text.includes("\0") || !text.isWellFormed())
      throw new HoldfastError(ErrorCode.corrupt, `${name} has an entry that is no text`);
    return text;
  });
}
