// holdfast home move

import type { MoveRequest } from "../../gateway/admin/homeOperations.ts";
import { parseFingerprint } from "../../ingest/client/fingerprint.ts";
import { ErrorCode, HoldfastError } from "../../vault/errors.ts";
import type { CommandContext } from "../cli/command.ts";
import { formatTable } from "../cli/output/table.ts";
import { durationText, timeJson } from "../estimate.ts";
import { withAdmin } from "../gatewayAccess.ts";
import { homeRows } from "../homeLines.ts";

/** Where to, by the command line. @throws HoldfastError usage */
function target({ args }: CommandContext): { readonly url: string; readonly fingerprint: string } | null {
  const url = args.text("to");
  const fingerprint = args.text("fingerprint");
  if (args.flag("here") === (url !== undefined) || (url === undefined) !== (fingerprint === undefined)) {
    throw new HoldfastError(
      ErrorCode.usage,
      "name the new home: --here, or --to URL with --fingerprint SHA256:HEX",
    );
  }
  return url === undefined ? null : { url, fingerprint: parseFingerprint(fingerprint!) };
}

/** A signed record, and a transaction in each vault. */
const moveSeconds = 0.5;
const vaultSeconds = 0.1;

async function dryRun(context: CommandContext, request: MoveRequest): Promise<void> {
  const { output } = context;
  const { account, home, devices, vaults } = await withAdmin(context, ({ homes }) => homes.plan(request));
  const seconds = moveSeconds + vaults * vaultSeconds;
  output.line(
    devices.length === 0
      ? `All of these devices of ${account} back up to ${home.name} already: a move would change nothing for them.`
      : `Would send ${devices.join(", ")} of ${account} to ${home.name}; a backup of theirs that runs starts over there.`,
  );
  output.line(`No data is carried (0 B): ${durationText(seconds)} (assumed).`);
  const { name, urls } = home;
  output.event({
    ...{ event: "done", dry_run: true, account, devices, home: { name, urls }, bytes: 0 },
    ...timeJson(seconds, "assumed"),
  });
}

export async function run(context: CommandContext): Promise<void> {
  const { args, output } = context;
  const request = {
    account: args.operand(0),
    devices: args.texts("device"),
    to: target(context),
    force: args.flag("force"),
  };
  if (args.flag("dry-run")) return await dryRun(context, request);
  const answer = await withAdmin(context, ({ homes }) => homes.move(request));
  output.line(formatTable(["ACCOUNT", "DEVICE", "HOME", "ADDRESS"], homeRows(answer)));
  output.line(`Generation ${answer.generation}. Back again: holdfast home undo ${answer.account}`);
  output.event({ event: "done", ...answer });
}
