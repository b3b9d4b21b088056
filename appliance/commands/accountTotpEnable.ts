// holdfast account totp enable

import type { CommandContext } from "../cli/command.ts";
import { askCode } from "../cli/password.ts";
import { withAdmin } from "../gatewayAccess.ts";

export async function run(context: CommandContext): Promise<void> {
  const { args, output } = context;
  const name = args.operand(0);
  await withAdmin(context, async ({ totp }) => {
    const { uri, recoveryCodes } = await totp.begin(name);
    if (output.interactive) {
      const { renderUnicodeCompact } = await import("uqr");
      output.note(renderUnicodeCompact(uri));
    }
    output.once(`${uri}\n${recoveryCodes.join("\n")}`, { event: "made", account: name, uri, recoveryCodes });
    output.note(
      "Shown only now: the address for the authenticator, and ten recovery codes, each of which counts once in the place of a code. Keep them apart from it.",
    );
    if (!output.interactive) {
      output.note(`It counts from the first code on: holdfast account totp confirm ${name} --totp CODE`);
      return;
    }
    await totp.confirm(name, await askCode(context));
    output.line(`Account ${name} asks for a code at every login from now on.`);
  });
}
