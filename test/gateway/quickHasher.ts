// Hashes login keys for all gateways of a test's process: bcrypt's lowest cost, and one thread. With a gateway's own, which it starts
// at the first login, a third of a second of each such gateway went into hashing.

import { PasswordHasher } from "../../gateway/auth/passwordHash.ts";

class QuickHasher extends PasswordHasher {
  /** Other gateways may be about to ask; the thread keeps no process alive. */
  override async close(): Promise<void> {}
}

const lowestCost = 4;

export const quickHasher = new QuickHasher(lowestCost);
