// Above what the guard holds an item, and who says so: the item, else its vault, else the gateway (docs/guard.md).

import { ErrorCode, HoldfastError } from "../../vault/errors.ts";

export const guardRules = ["rewritten", "encrypted", "renamed", "vanished", "creeping"] as const;
export type GuardRule = (typeof guardRules)[number];

/** Percentages; 0 switches a rule off. */
export type GuardThresholds = { readonly off: boolean } & Readonly<Record<GuardRule, number>>;

/** Of a vault or an item; null: what the next wider one says. */
export type GuardSettings = { readonly off: boolean | null } & Readonly<Record<GuardRule, number | null>>;

export const thresholdsDefault: GuardThresholds = {
  ...{ off: false, rewritten: 50, encrypted: 10, renamed: 25, vanished: 60, creeping: 15 },
};

export const noSettings: GuardSettings = {
  ...{ off: null, rewritten: null, encrypted: null, renamed: null, vanished: null, creeping: null },
};

/** What counts, the nearest first. */
export function thresholdsOf(
  gateway: GuardThresholds,
  ...settings: readonly (GuardSettings | undefined)[]
): GuardThresholds {
  const pick = <Name extends "off" | GuardRule>(name: Name): GuardThresholds[Name] => {
    const found = settings.find((each) => each !== undefined && each[name] !== null);
    return (found?.[name] ?? gateway[name]) as GuardThresholds[Name];
  };
  const rules = Object.fromEntries(guardRules.map((rule) => [rule, pick(rule)]));
  return { ...(rules as Record<GuardRule, number>), off: pick("off") };
}

/** Whether a number may be a rule's percentage. */
export function isPercentage(value: unknown): value is number {
  return typeof value === "number" && value >= 0 && value <= 100;
}

/** @throws HoldfastError usage */
export function checkGuardSettings(settings: GuardSettings): GuardSettings {
  for (const rule of guardRules) {
    const value = settings[rule];
    if (value === null || isPercentage(value)) continue;
    throw new HoldfastError(ErrorCode.usage, `--${rule} is a percentage from 0 to 100, not ${value}`, {
      next: "See: holdfast help guard set",
    });
  }
  return settings;
}
