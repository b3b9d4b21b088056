// A random moment of an agent's run, to kill something at.

import { setTimeout as sleep } from "node:timers/promises";
import type { Random } from "../fidelity/random.ts";
import { readAcks } from "./ackLog.ts";
import type { Program } from "./program.ts";

/** Waits for it: by time, or until so many answers of the gateway came in that `linesBefore` lines of the log of them do not have. */
export async function randomMoment(
  agent: Program,
  random: Random,
  acks: { readonly path: string; readonly linesBefore: number },
  usualMs: number,
): Promise<void> {
  if (random.below(2) === 0) {
    await Promise.race([sleep(random.below(Math.ceil(usualMs * 1.1))), agent.ended]);
    return;
  }
  const wanted = acks.linesBefore + 1 + random.below(8);
  while (agent.running && readAcks(acks.path).length < wanted) await sleep(2);
  await sleep(random.below(40));
}
