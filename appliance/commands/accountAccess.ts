// holdfast account access

import type { AddressLists } from "../../gateway/auth/addressLists.ts";
import { ErrorCode, HoldfastError } from "../../vault/errors.ts";
import type { CommandContext } from "../cli/command.ts";
import { withAdmin } from "../gatewayAccess.ts";

export async function run(context: CommandContext): Promise<void> {
  const { args, output } = context;
  const name = args.operand(0);
  const [allow, deny, clear] = [args.texts("allow"), args.texts("deny"), args.flag("clear")];
  if (clear && allow.length + deny.length > 0) {
    throw new HoldfastError(ErrorCode.usage, "--clear goes without --allow and --deny");
  }
  if (!clear && allow.length + deny.length === 0) return await show(context, name);
  const access = clear ? null : { allow, deny };
  await withAdmin(context, (operations) => operations.setAccess(name, access));
  output.event({ event: "done", account: name, access });
  output.line(`Account ${name} may be used ${textOf(access)}.`);
}

async function show(context: CommandContext, name: string): Promise<void> {
  const accounts = await withAdmin(context, (operations) => operations.accounts());
  const account = accounts.find((each) => each.name === name);
  if (account === undefined) {
    throw new HoldfastError(ErrorCode.notFound, `there is no account ${name}`, {
      next: "`holdfast account list` shows which there are.",
    });
  }
  context.output.event({ event: "done", account: name, access: account.access });
  context.output.line(`Account ${name} may be used ${textOf(account.access)}.`);
}

function textOf(access: AddressLists | null): string {
  if (access === null) return "from everywhere";
  const { allow, deny } = access;
  const from = allow.length === 0 ? "from everywhere" : `from ${allow.join(", ")}`;
  return deny.length === 0 ? from : `${from}, but not from ${deny.join(", ")}`;
}
