// Backs up, empties the trash and collects garbage in a data directory, all at a time and over and over, until it is killed. ARGV: a file with what it
// is to know, and a seed. It tells its parent of each snapshot that was committed, and before one goes to the trash.

import { readFileSync } from "node:fs";
import pino from "pino";
import { Administration } from "../../../../gateway/administration.ts";
import { Gateway } from "../../../../gateway/gateway.ts";
import { VaultKeys } from "../../../../vault/keys/vaultKeys.ts";
import { randomFrom } from "../../../fidelity/random.ts";
import { dataRecord, type GatewayFixture, pageRecord, type TestDevice } from "../../gatewayFixture.ts";
import { collect, VaultUser } from "./gcFixture.ts";

export type ProgramFacts = {
  readonly path: string;
  readonly device: string;
  readonly group: number;
  readonly vault: string;
  readonly account: string;
  /** Of the vault, hex. */
  readonly s: string;
  readonly a: string;
};
export type Told =
  | { readonly committed: string; readonly ids: readonly string[] }
  | { readonly trashed: string };

const [factsPath = "", seed = "0"] = process.argv.slice(2);
const facts = JSON.parse(readFileSync(factsPath, "utf8")) as ProgramFacts;
const random = randomFrom(Number(seed));
let monotonicMs = 0;
const gateway = await Gateway.open(facts.path, {
  logger: pino({ level: "silent" }),
  // Whatever is in the trash may leave.
  now: () => new Date(Date.now() + 60_000),
  // Each slice of work was a long one: it rests between any two of its steps.
  monotonicMs: () => {
    monotonicMs += 5;
    return monotonicMs;
  },
  version: "0.0.0-test",
  packBytesTarget: 12_000,
});
const keys = new VaultKeys({
  vaultId: Buffer.from(facts.vault, "hex"),
  s: Buffer.from(facts.s, "hex"),
  epochs: new Map([[1, Buffer.from(facts.a, "hex")]]),
  currentEpoch: 1,
});
const device = {
  ...{ id: facts.device, group: facts.group, vault: facts.vault },
  account: { name: facts.account, keys },
} as unknown as TestDevice;
const fixture = { gateway, administration: new Administration(gateway) } as unknown as GatewayFixture;
const user = new VaultUser(fixture, device);
const tell = (told: Told): void => void process.send?.(told);

let old: Buffer[] = [];
let collecting: Promise<unknown> | undefined;
process.send?.("begun");
for (let round = 0; ; round++) {
  const { session, item } = await user.begin(`item ${random.below(2)}`);
  const fresh = Array.from({ length: 6 }, () => dataRecord(device, random.bytes(900)));
  await user.put(...fresh);
  // Some of what earlier rounds sent, which may be garbage and may be dead by now.
  const asked = old.filter(() => random.below(3) === 0);
  const has = asked.length === 0 ? [] : await user.have(...asked);
  const ids = [...fresh.map(({ id }) => id), ...asked.filter((_, i) => has[i])];
  const root = pageRecord(device, ids, `${round} ${random.below(2 ** 30)}`);
  const [status] = await user.put(root);
  if (status !== 0) throw new Error("what it was told it has was refused");
  old = [...fresh.map(({ id }) => id), ...old].slice(0, 40);
  if (random.below(4) === 0) await user.end(session);
  else {
    const committed = await user.commit(session, item, root.id);
    tell({ committed, ids: [root.id, ...ids].map((id) => id.toString("hex")) });
  }
  const { catalog } = await user.vault();
  const heads = catalog.items().map(({ head }) => head);
  const [oldest] = catalog
    .snapshots()
    .filter(({ id }) => !heads.includes(id))
    .slice(3);
  if (oldest !== undefined) {
    tell({ trashed: oldest.id });
    await user.trash(oldest.id);
  }
  collecting ??= collect(user).finally(() => {
    collecting = undefined;
  });
  if (random.below(3) === 0) await collecting;
}
