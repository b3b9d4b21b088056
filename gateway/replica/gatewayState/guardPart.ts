// The guard's histories, holds and settings in a vault's part of the sealed catalog (docs/format.md, section 11.6).

import { ErrorCode, HoldfastError } from "../../../vault/errors.ts";
import { asArray, asHex, asInteger, asObject, asText, asTime } from "../../../vault/jsonFields.ts";
import type { GuardPart, Hold } from "../../catalog/guardRows.ts";
import { type Finding, type HistoryRow, historyRowsMax } from "../../guard/judge.ts";
import { type GuardRule, type GuardSettings, guardRules, isPercentage } from "../../guard/thresholds.ts";

export const noGuard: GuardPart = { items: [], settings: [] };

const pinsMax = 64;
const figuresMax = 64;

/** Absent in catalogs of before the guard. @throws HoldfastError corrupt, limit-exceeded */
export function parseGuard(value: unknown, rowsMax: number): GuardPart {
  if (value === undefined) return noGuard;
  const json = asObject(value, "guard");
  return {
    items: asArray(json.items, "items of the guard", rowsMax).map((each) => {
      const { item, history, hold } = asObject(each, "item of the guard");
      return {
        item: asHex(item, "item id", 16),
        history: asArray(history, "history", historyRowsMax).map(parseRow),
        hold: hold === null ? null : parseHold(hold),
      };
    }),
    settings: asArray(json.settings, "settings of the guard", rowsMax).map((each) => {
      const { item, settings } = asObject(each, "settings of the guard");
      return { item: item === null ? null : asHex(item, "item id", 16), settings: parseSettings(settings) };
    }),
  };
}

function parseRow(value: unknown): HistoryRow {
  const json = asObject(value, "row of a history");
  const { state } = json;
  if (state !== "good" && state !== "accepted" && state !== "doubted") throw corrupt("state of a row");
  const count = (name: string): number => asInteger(json[name], name, 0);
  return {
    snapshot: asHex(json.snapshot, "snapshot id", 32),
    chunks: count("chunks"),
    files: count("files"),
    rewritten: share(json.rewritten),
    renamed: share(json.renamed),
    vanished: share(json.vanished),
    bytes: count("bytes"),
    rawBytes: count("rawBytes"),
    agentBytes: count("agentBytes"),
    agentRawBytes: count("agentRawBytes"),
    state,
  };
}

function parseHold(value: unknown): Hold {
  const json = asObject(value, "hold");
  if (json.state !== "held" && json.state !== "confirmed") throw corrupt("state of a hold");
  const figures = Object.entries(asObject(json.figures, "figures"));
  if (figures.length > figuresMax) throw corrupt("number of figures");
  return {
    state: json.state,
    since: asTime(json.since, "begin of a hold"),
    snapshot: asHex(json.snapshot, "snapshot id", 32),
    rules: asArray(json.rules, "rules", guardRules.length).map(parseFinding),
    figures: Object.fromEntries(
      figures.map(([name, figure]) => [name, figure === null ? null : asInteger(figure, name, 0)]),
    ),
    pins: asArray(json.pins, "pins", pinsMax).map((id) => asHex(id, "snapshot id", 32)),
    pinReason: asText(json.pinReason, "reason"),
  };
}

function parseFinding(value: unknown): Finding {
  const { rule, share: found, threshold, usual } = asObject(value, "rule");
  if (!guardRules.includes(rule as GuardRule)) throw corrupt("rule");
  return {
    rule: rule as GuardRule,
    share: share(found),
    threshold: share(threshold),
    usual: usual === null ? null : share(usual),
  };
}

function parseSettings(value: unknown): GuardSettings {
  const json = asObject(value, "settings");
  const { off } = json;
  if (off !== null && typeof off !== "boolean") throw corrupt("switch");
  const rules = guardRules.map((rule) => {
    const percentage = json[rule];
    if (percentage !== null && !isPercentage(percentage)) throw corrupt(rule);
    return [rule, percentage];
  });
  return { ...(Object.fromEntries(rules) as Record<GuardRule, number | null>), off };
}

function share(value: unknown): number {
  if (typeof value === "number" && value >= 0 && Number.isFinite(value)) return value;
  throw corrupt("share");
}

function corrupt(what: string): HoldfastError {
  return new HoldfastError(ErrorCode.corrupt, `guard: a ${what} that cannot be`);
}
