// Planted formats whose steps take some transactions each, so that a kill may come between any two.

import { setTimeout as sleep } from "node:timers/promises";
import type { IndexEnvironment } from "../../../gateway/index/environment.ts";
import { jsonCodec, openTable } from "../../../gateway/index/table.ts";
import type { Formats } from "../../../gateway/upgrade/formats.ts";

const transactions = 8;

/** Which steps changed each of the rows of a database. */
export function steps(environment: IndexEnvironment): readonly number[][] {
  const table = openTable(environment, "planted", jsonCodec<number[]>());
  return Array.from({ length: transactions }, (_, row) => table.get(Buffer.from([row])) ?? []);
}

/** Appends itself to every row, a transaction each: done twice, or by halves, it shows. */
async function change(environment: IndexEnvironment, step: number): Promise<void> {
  const table = openTable(environment, "planted", jsonCodec<number[]>());
  for (let row = 0; row < transactions; row++) {
    const key = Buffer.from([row]);
    await environment.write(() => table.put(key, [...(table.get(key) ?? []), step]));
    await sleep(2);
  }
}

export const slowFormats: Formats = {
  newest: 3,
  migrations: [2, 3].map((to) => ({
    ...{ to, what: `step ${to}` },
    catalog: (environment) => change(environment, to),
    vault: (environment) => change(environment, to),
  })),
};
