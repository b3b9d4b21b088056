// holdfast home move

import { parseFingerprint } from "../../ingest/client/fingerprint.ts";
import { ErrorCode, HoldfastError } from "../../vault/errors.ts";
import type { CommandContext } from "../cli/command.ts";
import { formatTable } from "../cli/output/table.ts";
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

export async function run(context: CommandContext): Promise<void> {
  const { args, output } = context;
  const request = {
    account: args.operand(0),
    devices: args.texts("device"),
    to: target(context),
    force: args.flag("force"),
  };
  const answer = await withAdmin(context, ({ homes }) => homes.move(request));
  output.line(formatTable(["ACCOUNT", "DEVICE", "HOME", "ADDRESS"], homeRows(answer)));
  output.line(`Generation ${answer.generation}. Back again: holdfast home undo ${answer.account}`);
  output.event({ event: "done", ...answer });
}
