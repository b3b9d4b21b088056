// holdfast token create

import type { TokenRole, TokenScope } from "../../gateway/catalog/accessTokens.ts";
import { ErrorCode, HoldfastError } from "../../vault/errors.ts";
import type { CommandContext } from "../cli/command.ts";
import { withAdmin } from "../gatewayAccess.ts";

const expirySecondsDefault = 90 * 86_400;

export async function run(context: CommandContext): Promise<void> {
  const { args, output } = context;
  const role = args.text("role");
  const label = args.text("label");
  if (role === undefined || label === undefined) {
    throw new HoldfastError(ErrorCode.usage, `--${role === undefined ? "role" : "label"} is missing`, {
      next: "Say what the token may do and who will use it: --role auditor --label monitoring.",
    });
  }
  const { token, ...row } = await withAdmin(context, ({ tokens }) =>
    tokens.create({
      role: role as TokenRole,
      label,
      scopes: args.texts("scope") as TokenScope[],
      expiresInSeconds: args.duration("expires") ?? expirySecondsDefault,
    }),
  );
  // On stdout nothing but the token, so that it can be piped to where it is to go.
  output.once(token, { event: "done", ...row, token });
  output.note(
    `Shown only now. It is good until ${row.expires} for ${row.scopes?.join(", ") ?? `all that an ${row.role} may`}.\n` +
      `To end it: holdfast token revoke ${row.id}`,
  );
}
