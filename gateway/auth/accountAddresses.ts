// From where an account may be used.

import { ErrorCode, HoldfastError } from "../../vault/errors.ts";
import type { Account } from "../catalog/accounts.ts";
import { AddressRules } from "./addressLists.ts";

/** What was made of lists that were asked for lately; they were checked when they were set. */
const rulesBy = new Map<string, AddressRules>();
const rulesMax = 1000;

export function accountAdmits({ access }: Pick<Account, "access">, address: string): boolean {
  if (access === undefined) return true;
  const key = JSON.stringify(access);
  let rules = rulesBy.get(key);
  if (rules === undefined) {
    if (rulesBy.size >= rulesMax) rulesBy.clear();
    rules = new AddressRules(access);
    rulesBy.set(key, rules);
  }
  return rules.admits(address);
}

/** By the gateway's lists, or the account's. */
export function addressRefused(by: "gateway" | "account"): HoldfastError {
  return new HoldfastError(ErrorCode.forbidden, `this ${by} is not to be used from this address`, {
    next: "Ask whoever runs the gateway: its lists of addresses say who may.",
    detail: { refusedBy: by },
  });
}

/** @throws HoldfastError forbidden */
export function requireAddress(account: Pick<Account, "access">, address: string): void {
  if (!accountAdmits(account, address)) throw addressRefused("account");
}
