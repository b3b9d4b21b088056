// holdfast account quota

import type { AccountQuota } from "../../gateway/catalog/accounts.ts";
import { ErrorCode, HoldfastError } from "../../vault/errors.ts";
import type { CommandContext } from "../cli/command.ts";
import { formatBytes } from "../cli/units.ts";
import { withAdmin } from "../gatewayAccess.ts";

export async function run(context: CommandContext): Promise<void> {
  const { args, output } = context;
  const name = args.operand(0);
  const [bytes, devices, none] = [args.bytes("bytes"), args.integer("devices"), args.flag("none")];
  const given = bytes !== undefined || devices !== undefined;
  if (given && none) {
    throw new HoldfastError(ErrorCode.usage, "--none takes all limits away: give it alone");
  }
  const row = await withAdmin(context, async (operations) => {
    const find = async () => (await operations.accounts()).find((account) => account.name === name);
    const before = await find();
    if (before === undefined) {
      throw new HoldfastError(ErrorCode.notFound, `there is no account ${name}`, {
        next: "`holdfast account list` shows which there are.",
      });
    }
    if (!given && !none) return before;
    const quota: AccountQuota = none
      ? { bytes: null, devices: null }
      : { bytes: bytes ?? before.quota.bytes, devices: devices ?? before.quota.devices };
    await operations.setQuota(name, quota);
    return { ...before, quota };
  });
  const { quota, storedBytes } = row;
  output.event({
    ...{ event: "done", account: name, stored_bytes: storedBytes, devices: row.devices },
    ...{ quota_bytes: quota.bytes, quota_devices: quota.devices },
  });
  const limit = (value: string | null): string => (value === null ? "no limit" : `of ${value}`);
  output.line(
    `${formatBytes(storedBytes)} stored, ${limit(quota.bytes === null ? null : formatBytes(quota.bytes))}; ` +
      `${row.devices} devices, ${limit(quota.devices === null ? null : String(quota.devices))}.`,
  );
  if (quota.bytes !== null && storedBytes > quota.bytes) {
    output.warn(
      "more is stored than the quota allows: backups are refused until less is, or the quota is raised",
    );
  }
}
