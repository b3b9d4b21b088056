// What a gateway that was stopped in the middle of something left to finish: done by its next start, before anybody is heard.

import { byGateway } from "./audit/audit.ts";
import type { Gateway } from "./gateway.ts";
import { finishPasswordChange } from "./passwordChange.ts";
import { finishRemoval } from "./removal/removeAccount.ts";
import { settleSeal } from "./seed/seal/sealBox.ts";

/** @throws HoldfastError what the work says that is finished */
export async function finishStart(gateway: Gateway): Promise<void> {
  const { audit, catalog, jobs, logger, now } = gateway;
  jobs.interrupt();
  for (const row of catalog.removals.list()) {
    const { account: id, name: account } = await finishRemoval(gateway, row);
    await audit.record(byGateway("account.removed", { account, id }));
  }
  for (const { id, pendingLogin } of catalog.accounts.list()) {
    if (pendingLogin !== undefined) await finishPasswordChange(gateway, id);
  }
  catalog.invites.settle(now());
  await settleSeal(gateway);
  // A stop may have come between a new vault and its seal. Where there is no room now, replication tries again.
  await gateway.sealing
    .bring()
    .catch((error: unknown) => logger.error({ err: error }, "sealed.json could not be written"));
}
