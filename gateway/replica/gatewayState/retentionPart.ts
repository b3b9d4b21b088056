// Policies, marks and trash in a vault's part of the sealed catalog (docs/format.md, section 11.6).

import { ErrorCode, HoldfastError } from "../../../vault/errors.ts";
import { asArray, asHex, asInteger, asObject, asText, asTime } from "../../../vault/jsonFields.ts";
import type { RetentionRows } from "../../catalog/retention.ts";
import {
  checkPolicy,
  isTag,
  type RetentionPolicy,
  retentionLimits,
} from "../../maintenance/retention/policy.ts";
import { noGuard, parseGuard } from "./guardPart.ts";

export const noRetention: RetentionRows = { policies: [], marks: [], trash: [], guard: noGuard };

/** Undefined where there is nothing to say: catalogs of before there was retention have no such member. */
export function exportRetention(rows: RetentionRows): RetentionRows | undefined {
  const { policies, marks, trash, guard } = rows;
  const guarded = guard.items.length + guard.settings.length;
  return policies.length + marks.length + trash.length + guarded === 0 ? undefined : rows;
}

/** @throws HoldfastError corrupt, limit-exceeded */
export function parseRetention(value: unknown, rowsMax: number): RetentionRows {
  if (value === undefined) return noRetention;
  const json = asObject(value, "retention");
  return {
    policies: asArray(json.policies, "policies", rowsMax).map(parsePolicy),
    marks: asArray(json.marks, "marks", rowsMax).map(parseMarks),
    trash: asArray(json.trash, "trash", rowsMax).map(parseTrash),
    guard: parseGuard(json.guard, rowsMax),
  };
}

function parsePolicy(value: unknown): RetentionRows["policies"][number] {
  const { item, policy } = asObject(value, "policy");
  const json = asObject(policy, "policy");
  const count = (name: string): number => asInteger(json[name], name, 0, retentionLimits.secondsMax);
  const checked = sound({
    last: count("last"),
    hourly: count("hourly"),
    daily: count("daily"),
    weekly: count("weekly"),
    monthly: count("monthly"),
    yearly: count("yearly"),
    withinSeconds: count("withinSeconds"),
    trashSeconds: count("trashSeconds"),
    tags: asArray(json.tags, "tags", retentionLimits.tagsMax).map((tag) => asText(tag, "tag")),
    timeZone: asText(json.timeZone, "time zone"),
  });
  return { item: item === null ? null : asHex(item, "item id", 16), policy: checked };
}

/** A policy that this program could have set. @throws HoldfastError corrupt */
function sound(policy: RetentionPolicy): RetentionPolicy {
  try {
    return checkPolicy(policy);
  } catch (error) {
    throw new HoldfastError(ErrorCode.corrupt, "a policy that nobody could have set", { cause: error });
  }
}

function parseMarks(value: unknown): RetentionRows["marks"][number] {
  const json = asObject(value, "marks");
  const pin = json.pin === null ? null : asObject(json.pin, "pin");
  const tags = asArray(json.tags, "tags", retentionLimits.tagsMax).map((tag) => asText(tag, "tag"));
  if (!tags.every(isTag)) throw new HoldfastError(ErrorCode.corrupt, "a tag that no snapshot can have");
  return {
    snapshot: asHex(json.snapshot, "snapshot id", 32),
    pin: pin && { reason: asText(pin.reason, "reason"), at: asTime(pin.at, "time of a pin") },
    tags,
  };
}

function parseTrash(value: unknown): RetentionRows["trash"][number] {
  const json = asObject(value, "trash row");
  if (json.by !== "policy" && json.by !== "administrator") {
    throw new HoldfastError(ErrorCode.corrupt, "nobody who could have moved a snapshot to the trash");
  }
  return {
    snapshot: asHex(json.snapshot, "snapshot id", 32),
    at: asTime(json.at, "time in the trash"),
    until: asTime(json.until, "end of the time in the trash"),
    by: json.by,
    reason: asText(json.reason, "reason"),
  };
}
