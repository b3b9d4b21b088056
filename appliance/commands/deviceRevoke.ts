// holdfast device revoke

import type { AdminOperations } from "../../gateway/admin/operations.ts";
import { ErrorCode, HoldfastError } from "../../vault/errors.ts";
import type { CommandContext } from "../cli/command.ts";
import { withAdmin } from "../gatewayAccess.ts";

/** The account and name that "ACCOUNT/DEVICE" or a device's name alone stand for. */
async function findDevice(
  operations: AdminOperations,
  written: string,
): Promise<{ readonly account: string; readonly device: string }> {
  const slash = written.indexOf("/");
  if (slash >= 0) return { account: written.slice(0, slash), device: written.slice(slash + 1) };
  const named = (await operations.devices()).filter(
    (row) => !row.revoked && [row.name, row.id].includes(written),
  );
  if (named.length > 1) {
    throw new HoldfastError(ErrorCode.usage, `several accounts have a device ${written}`, {
      next: `Say which: ${named.map((row) => `${row.account}/${row.name}`).join(", ")}`,
    });
  }
  if (named[0] !== undefined) return { account: named[0].account, device: named[0].id };
  throw new HoldfastError(ErrorCode.notFound, `there is no device ${written}`, {
    next: "`holdfast device list` shows which there are.",
  });
}

export async function run(context: CommandContext): Promise<void> {
  const written = context.args.operand(0);
  const { account, device } = await withAdmin(context, async (operations) => {
    const found = await findDevice(operations, written);
    await operations.revokeDevice(found.account, found.device);
    return found;
  });
  context.output.line(
    `Device ${written} is revoked. Its snapshots stay and can be restored from other devices.`,
  );
  context.output.event({ event: "done", account, device });
}
