// Something that is looked at again and again, and what becomes of its alerts: raised while it holds, ended when it does not.

import type { AlertLog, RaisedAlert } from "../alertLog.ts";

export type Condition = {
  /** The kinds of alerts that it alone raises. */
  readonly kinds: readonly string[];
  /** What holds now. When it throws nothing is ended. */
  readonly find: () => Promise<RaisedAlert[]>;
};

/** Said again so often while it lasts, for its figures and the time it was seen last. */
const againMs = 3_600_000;

/** Looks, and brings the log up to date. @throws what `find` throws; HoldfastError disk-full, io-error */
export async function settle(condition: Condition, alerts: AlertLog, nowMs: number): Promise<void> {
  const found = await condition.find();
  const open = alerts.list().filter(({ kind }) => condition.kinds.includes(kind));
  for (const each of found) {
    const known = open.find(({ kind, subject }) => kind === each.kind && subject === each.subject);
    const isFresh = known !== undefined && Math.abs(nowMs - Date.parse(known.lastSeen)) < againMs;
    if (!isFresh || known.severity !== each.severity) alerts.raise(each);
  }
  for (const { kind, subject } of open) {
    if (!found.some((each) => each.kind === kind && each.subject === subject)) alerts.resolve(kind, subject);
  }
}
