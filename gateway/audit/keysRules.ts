// What is noted of new keys and escrow keys: who has them, never what they are. A rotation by the owner and one that takes an escrow key away are told
// apart.

import type { KeysOperations } from "../admin/keysOperations.ts";
import type { Rules } from "./audited.ts";
import type { AuditSubject } from "./events.ts";

const rotated = (
  vault: string,
  done: Awaited<ReturnType<KeysOperations["rotate"]>> | undefined,
): AuditSubject => ({
  vault,
  epoch: done?.epoch ?? null,
  devices: done?.devices ?? [],
  escrows: done?.escrows ?? [],
  unlocked: done?.unlocked ?? null,
});

export const keys: Rules<KeysOperations> = {
  rotate: ([vault], done) => ({ event: "vault.keys-rotated", subject: rotated(vault, done) }),
  addEscrow: ([vault], added) => ({
    event: "escrow.added",
    subject: { vault, label: added?.label ?? null, public: added?.public ?? null },
  }),
  removeEscrow: ([vault, publicKey], done) => ({
    event: "escrow.removed",
    subject: { public: publicKey, ...rotated(vault, done) },
  }),
};
