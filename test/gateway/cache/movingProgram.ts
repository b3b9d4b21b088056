// Evicts and fetches back packs of a data directory, over and over, until it is killed. ARGV: the directory and a seed.

import pino from "pino";
import { Gateway } from "../../../gateway/gateway.ts";
import { isHoldfastError } from "../../../vault/errors.ts";
import { randomFrom } from "../../fidelity/random.ts";

const [path = "", seed = "0"] = process.argv.slice(2);
const random = randomFrom(Number(seed));
const gateway = await Gateway.open(path, {
  logger: pino({ level: "silent" }),
  now: () => new Date(),
  version: "0.0.0-test",
});
const [row] = gateway.catalog.vaults.list();
if (row === undefined) throw new Error("no vault");
const { store } = await gateway.vault(row.id);
const { moves } = store.elsewhere!;
const packs = [...store.packs.all()].filter(({ kind, state }) => kind === "data" && state !== "open");
process.send?.("moving");
for (;;) {
  const some = Array.from({ length: 3 }, () => packs[random.below(packs.length)]!.ordinal);
  const work = some.map((pack) => (random.below(2) === 0 ? moves.evict(pack) : moves.fetchBack(pack)));
  for (const result of await Promise.allSettled(work)) {
    if (result.status === "rejected" && !isHoldfastError(result.reason)) throw result.reason;
  }
}
