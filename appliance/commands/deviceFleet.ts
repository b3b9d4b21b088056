// holdfast device fleet

import { ErrorCode, HoldfastError } from "../../vault/errors.ts";
import type { CommandContext } from "../cli/command.ts";
import { withAdmin } from "../gatewayAccess.ts";

export async function run(context: CommandContext): Promise<void> {
  const { args, output } = context;
  const [account, device, ...more] = args.operand(0).split("/");
  const fleet = args.operands[1];
  if (!account || !device || more.length > 0)
    throw new HoldfastError(ErrorCode.usage, `not ACCOUNT/DEVICE: ${args.operand(0)}`);
  if ((fleet === undefined) !== args.flag("none")) {
    throw new HoldfastError(ErrorCode.usage, "which fleet? Give its name, or --none", {
      next: "See: holdfast help device fleet",
    });
  }
  await withAdmin(context, ({ items }) => items.setFleet(account, device, fleet ?? null));
  output.line(
    fleet === undefined
      ? `Device ${account}/${device} is in no fleet.`
      : `Device ${account}/${device} follows the items of fleet @${fleet}: holdfast item list ${account}/@${fleet}`,
  );
  output.event({ event: "done", account, device, fleet: fleet ?? null });
}
