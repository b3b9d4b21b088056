import { Width } from "./magic.ts";

/** Whether an id stands twice among references. Ids are uniform, so 6 bytes tell nearly all apart; only when those collide are whole ids compared. */
export function hasDuplicates(refs: Buffer): boolean {
  const count = refs.length / Width.id;
  if (count < 2) return false;
  const seen = new Set<number>();
  for (let at = 0; at < refs.length; at += Width.id) seen.add(refs.readUIntLE(at, 6));
  if (seen.size === count) return false;
  const whole = new Set<string>();
  for (let at = 0; at < refs.length; at += Width.id) whole.add(refs.toString("latin1", at, at + Width.id));
  return whole.size < count;
}
