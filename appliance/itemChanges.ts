// From the options of `item add` and `item edit` to a definition, and back to lines for people.

import { Filter } from "../agent/source/filter.ts";
import type { DefinedItemAnswer, ItemOperations } from "../gateway/admin/itemOperations.ts";
import { RateTable } from "../ingest/line/rateTable.ts";
import { type ItemDefinition, parseDefinition } from "../ingest/schedule/itemDefinition.ts";
import { ErrorCode, HoldfastError } from "../vault/errors.ts";
import type { Arguments } from "./cli/arguments.ts";
import { flagOptions, listOptions, nameOptions } from "./cli/itemCommands.ts";
import { formatBytes } from "./cli/units.ts";
import { type ItemPlace, parseItemName } from "./itemName.ts";
import { placeText, spanText } from "./retentionLines.ts";

/**
 * `from` with what the command line says. `edits`: what was there can be taken back.
 * @throws HoldfastError usage; limit-exceeded
 */
export function changedDefinition(from: ItemDefinition, args: Arguments, edits: boolean): ItemDefinition {
  const changes: Partial<Record<keyof ItemDefinition, unknown>> = {};
  const isTakenBack = (name: string): boolean => edits && args.flag(`no-${name}`);
  const once = (name: string, given: boolean, takenBack = isTakenBack(name)): void => {
    if (given && takenBack)
      throw new HoldfastError(ErrorCode.usage, `--${name} and --no-${name} exclude each other`);
  };
  for (const [name, member] of Object.entries(listOptions)) {
    const given = args.texts(name);
    once(name, given.length > 0);
    if (given.length > 0 || isTakenBack(name)) changes[member] = given;
  }
  for (const [name, member] of Object.entries(flagOptions)) {
    once(name, args.flag(name));
    if (args.flag(name) || isTakenBack(name)) changes[member] = args.flag(name);
  }
  for (const [name, member] of Object.entries(nameOptions)) {
    const given = args.text(name);
    once(name, given !== undefined);
    if (given !== undefined || isTakenBack(name)) changes[member] = given ?? null;
  }
  // What was taken before goes with its kind.
  if (typeof changes.program === "string" && edits) changes.paths = [];
  const limit = args.rates("limit-upload");
  once("limit-upload", limit !== undefined);
  if (limit !== undefined || isTakenBack("limit-upload")) Object.assign(changes, limitOf(limit ?? ""));
  const jitter = args.duration("jitter");
  if (jitter !== undefined) changes.jitterSeconds = jitter;
  const zone = args.text("time-zone");
  if (zone !== undefined) changes.timeZone = zone;
  if (edits && args.flag("enable") && args.flag("disable"))
    throw new HoldfastError(ErrorCode.usage, "--enable and --disable exclude each other");
  if (args.flag("disable") || (edits && args.flag("enable"))) changes.enabled = !args.flag("disable");
  const definition = parseDefinition({ ...from, ...changes });
  new Filter(definition);
  return definition;
}

/** The members for a limit: a rate, or a table by time. @throws HoldfastError usage */
function limitOf(text: string): Pick<ItemDefinition, "limitUploadBytesPerSecond" | "limitUploadTable"> {
  const { lowest, changes } = RateTable.parse(text);
  return {
    limitUploadBytesPerSecond: Number.isFinite(lowest) ? Math.round(lowest) : null,
    limitUploadTable: changes ? text : null,
  };
}

/** An item's definition as it is now. @throws HoldfastError not-found */
export async function definedItem(items: ItemOperations, place: ItemPlace): Promise<DefinedItemAnswer> {
  const [found] = await items.list(place);
  if (found !== undefined) return found;
  throw new HoldfastError(ErrorCode.notFound, `item ${placeText(Object.values(place))} has no definition`, {
    next: "Give it one with `holdfast item add`.",
  });
}

/** ACCOUNT, ACCOUNT/DEVICE or ACCOUNT/DEVICE/ITEM; undefined for all. @throws HoldfastError usage */
export function parseItemScope(text: string | undefined): Partial<ItemPlace> {
  if (text === undefined) return {};
  const parts = text.split("/");
  if (parts.length === 3) return parseItemName(text);
  const [account, device] = parts;
  if (!account || parts.length > 2 || device === "")
    throw new HoldfastError(ErrorCode.usage, `not ACCOUNT, ACCOUNT/DEVICE or ACCOUNT/DEVICE/ITEM: ${text}`);
  return { account, ...(device !== undefined && { device }) };
}

/** "daily at 02:00; mon at 12:00 (Europe/Vienna, within 5m)" */
export function scheduleText({
  rules,
  timeZone,
  jitterSeconds,
  windows,
  stopAtWindowEnd,
  skipOnBattery = false,
  skipOnMetered = false,
}: ItemDefinition): string {
  if (rules.length === 0) return "by hand only";
  const more = [
    timeZone,
    ...(jitterSeconds > 0 ? [`within ${spanText(jitterSeconds)}`] : []),
    ...windows.map((window) => `open ${window}`),
    ...(stopAtWindowEnd ? ["stopped when it closes"] : []),
    ...(skipOnBattery ? ["not on battery"] : []),
    ...(skipOnMetered ? ["not on a metered line"] : []),
  ];
  return `${rules.join("; ")} (${more.join(", ")})`;
}

/** "/home, /etc; without *.tmp" */
export function takesText(definition: ItemDefinition): string {
  const {
    paths,
    includes,
    includeRegexes,
    excludes,
    excludeRegexes,
    limitUploadBytesPerSecond: limit,
    limitUploadTable: table,
  } = definition;
  const some = (words: string, patterns: readonly string[]): string[] =>
    patterns.length > 0 ? [`${words} ${patterns.join(" ")}`] : [];
  return [
    definition.program === null ? paths.join(", ") : `the output of program ${definition.program}`,
    ...some("only", [...includes, ...includeRegexes]),
    ...some("without", [...excludes, ...excludeRegexes]),
    ...(definition.excludeCaches ? ["without caches"] : []),
    ...(definition.oneFileSystem ? ["one file system"] : []),
    ...(definition.ignoreInodes === true ? ["whatever the inodes"] : []),
    ...(definition.priority === null ? [] : [`${definition.priority} priority`]),
    ...(table === null ? [] : [`sent at most ${table}`]),
    ...(limit === null || table !== null ? [] : [`at most ${formatBytes(limit)}/s`]),
    ...(definition.snapshot === null ? [] : [`snapshot ${definition.snapshot}`]),
    ...(definition.hook === null ? [] : [`hook ${definition.hook}`]),
  ].join("; ");
}
