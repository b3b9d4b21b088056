// holdfast account app-password ACCOUNT | list ACCOUNT | revoke ACCOUNT ID
//
// The number of operands tells which: one is always an account, so accounts may be called "list" and "revoke".

import type { NewAppPassword } from "../../gateway/admin/operations.ts";
import { ErrorCode, HoldfastError, isHoldfastError } from "../../vault/errors.ts";
import type { CommandContext } from "../cli/command.ts";
import { formatTable } from "../cli/output/table.ts";
import { withAdmin } from "../gatewayAccess.ts";

const gidsMax = 65_536;

export async function run(context: CommandContext): Promise<void> {
  const { operands } = context.args;
  const [first = "", second = "", third = ""] = operands;
  if (operands.length === 1) return make(context, first);
  refuseMaking(context, first);
  if (first === "list" && operands.length === 2) return list(context, second);
  if (first === "revoke" && operands.length === 3) return revoke(context, second, third);
  throw usage(
    first === "revoke"
      ? "which app password? Its id or label is missing"
      : `not understood: ${operands.join(" ")}`,
    "It is app-password ACCOUNT, app-password list ACCOUNT or app-password revoke ACCOUNT ID.",
  );
}

async function make(context: CommandContext, account: string): Promise<void> {
  const { args, output } = context;
  const request: NewAppPassword = {
    label: args.text("label") ?? "",
    ...optional("read", args.text("read")),
    ...optional("asUser", parseUser(args.text("as-user"))),
    ...optional("expiresIn", args.duration("expires")),
  };
  const made = withAdmin(context, (operations) => operations.addAppPassword(account, request));
  const { password, ...row } = await made.catch((error: unknown) => {
    const isWord = account === "list" || account === "revoke";
    if (!isWord || !isHoldfastError(error, ErrorCode.notFound)) throw error;
    throw usage(`app-password ${account} needs ACCOUNT`, "See: holdfast help account app-password");
  });
  const scope = row.read === null ? `all of account ${account}` : `${row.read} of account ${account}`;
  const until = row.expires === null ? "until it is revoked" : `until ${row.expires}`;
  // On stdout nothing but the password, so that it can be piped to where it is to go.
  output.once(password, { event: "done", account, ...row, password });
  output.note(
    `Shown only now. It reads ${scope} over WebDAV, ${until}; the user's name there is ${account}.\n` +
      `To end it: holdfast account app-password revoke ${account} ${row.id}`,
  );
}

async function list(context: CommandContext, account: string): Promise<void> {
  const { output } = context;
  const all = await withAdmin(context, (operations) => operations.appPasswords(account));
  output.event(all);
  if (all.length === 0) {
    return output.line(
      `Account ${account} has no app passwords. Make one: holdfast account app-password ${account}`,
    );
  }
  const rows = all.map(({ id, label, read, asUser, expires, expired, lastUsed, created }) => [
    id,
    label === "" ? "-" : label,
    read ?? "all",
    asUser === null ? "-" : `${asUser.uid}:${asUser.gids.join(",")}`,
    expires === null ? "never" : expired ? `expired ${expires}` : expires,
    lastUsed ?? "never",
    created,
  ]);
  return output.line(
    formatTable(["ID", "LABEL", "READS", "AS USER", "EXPIRES", "LAST USED", "CREATED"], rows),
  );
}

async function revoke(context: CommandContext, account: string, which: string): Promise<void> {
  const { output } = context;
  const row = await withAdmin(context, (operations) => operations.revokeAppPassword(account, which));
  const called = row.label === "" ? row.id : `${row.id} (${row.label})`;
  output.line(`App password ${called} of account ${account} is revoked.`);
  output.event({ event: "done", account, ...row });
}

/** An option for making one means that it is not a list that is wanted. */
function refuseMaking({ args }: CommandContext, word: string): void {
  const given = ["label", "read", "as-user"].find((name) => args.text(name) !== undefined);
  const option = given ?? (args.duration("expires") === undefined ? undefined : "expires");
  if (option === undefined) return;
  throw usage(
    `app-password ${word} takes no --${option}`,
    "Making one is: app-password ACCOUNT with options.",
  );
}

/** UID[:GID[,GID...]]; the group is the user's number unless given. @throws HoldfastError usage */
function parseUser(written: string | undefined): NewAppPassword["asUser"] {
  if (written === undefined) return undefined;
  const match = /^(?<uid>\d{1,10})(?::(?<gids>\d{1,10}(?:,\d{1,10})*))?$/.exec(written);
  const uid = Number(match?.groups?.uid);
  const gids = match?.groups?.gids?.split(",").map(Number) ?? [uid];
  if (match !== null && gids.length <= gidsMax && [uid, ...gids].every((id) => id < 2 ** 32 - 1)) {
    return { uid, gids };
  }
  throw usage(
    `--as-user is not UID or UID:GID,GID...: ${written}`,
    "Give numbers, as `id -u` and `id -G` print them.",
  );
}

function optional<Name extends string, Value>(
  name: Name,
  value: Value | undefined,
): { readonly [key in Name]?: Value } {
  return (value === undefined ? {} : { [name]: value }) as { readonly [key in Name]?: Value };
}

function usage(message: string, next: string): HoldfastError {
  return new HoldfastError(ErrorCode.usage, message, { next });
}
