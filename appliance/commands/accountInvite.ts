// holdfast account invite ACCOUNT | list [ACCOUNT] | revoke ACCOUNT ID

import { resolve } from "node:path";
import type { InviteAnswer } from "../../gateway/admin/inviteOperations.ts";
import { openInvitesMax } from "../../gateway/catalog/invites.ts";
import { gatewayOrigin } from "../../ingest/client/gatewayAddress.ts";
import { ErrorCode, HoldfastError } from "../../vault/errors.ts";
import { makeInvites } from "../account/invites.ts";
import type { CommandContext } from "../cli/command.ts";
import { formatTable } from "../cli/output/table.ts";
import { readPassword } from "../cli/password.ts";
import { formatCount } from "../cli/units.ts";
import { withAdmin } from "../gatewayAccess.ts";
import { ownUrl } from "../peerTokenOutput.ts";
import { shellWord } from "../shellWord.ts";

const expirySecondsDefault = 7 * 86_400;

export async function run(context: CommandContext): Promise<void> {
  const { operands } = context.args;
  const [first = "", second = "", third] = operands;
  if (first === "list") return list(context, operands.length === 1 ? undefined : second);
  if (first === "revoke" && operands.length > 1) return revoke(context, second, third);
  if (operands.length === 1 && first !== "revoke") return make(context, first);
  throw new HoldfastError(ErrorCode.usage, `not understood: ${operands.join(" ")}`, {
    next: "It is invite ACCOUNT, invite list [ACCOUNT] or invite revoke ACCOUNT ID (or --all).",
  });
}

async function make(context: CommandContext, account: string): Promise<void> {
  const { args, output } = context;
  const count = args.integer("count") ?? 1;
  if (count < 1 || count > openInvitesMax) {
    throw new HoldfastError(ErrorCode.usage, `--count is 1 to ${openInvitesMax}`, {
      next: "Make them in several goes.",
    });
  }
  const [device, takeOver] = [args.text("device") ?? null, args.text("take-over") ?? null];
  if (takeOver !== null && (device !== null || args.flag("isolated") || args.flag("append-only"))) {
    throw new HoldfastError(ErrorCode.usage, "--take-over keeps the device's name and rights", {
      next: "Leave out --device, --isolated and --append-only.",
    });
  }
  if ((device ?? takeOver) !== null && count > 1) {
    throw new HoldfastError(ErrorCode.usage, "this names one machine, and --count asks for several", {
      next: "Leave --device out: each machine is called by its host name, or as `agent enroll --device` says.",
    });
  }
  const given = args.text("url");
  const [url, invites] = await withAdmin(context, async (operations) => {
    const { publicUrl, listen, fingerprint } = await operations.invites.place();
    const url = given === undefined ? publicUrl || ownUrl(listen) : gatewayOrigin(given);
    const wish = {
      ...{ account, count, url, fingerprint, device, takeOver, folder: resolve(args.text("out") ?? ".") },
      expiresInSeconds: args.duration("expires") ?? expirySecondsDefault,
      isolated: args.flag("isolated"),
      appendOnly: args.flag("append-only"),
      fleet: args.text("fleet") ?? null,
    };
    return [url, await makeInvites(operations, wish, () => readPassword(context))];
  });
  for (const { file } of invites) output.line(file);
  output.note(
    `Each of them enrols one machine, once, until ${invites[0]?.expires}, at ${url}:\n` +
      `  holdfast agent enroll --invite FILE\n` +
      "Who has a file before it is used gets the machine's place: hand it over as you would a password.",
  );
  output.event({ event: "done", account, url, invites });
}

async function list(context: CommandContext, account: string | undefined): Promise<void> {
  const { output } = context;
  const all = await withAdmin(context, ({ invites }) => invites.list(account));
  output.event(all);
  if (all.length === 0) {
    return output.line("There are no invites. Make one: holdfast account invite ACCOUNT");
  }
  const rows = all.map((row) => [
    ...[row.id.slice(0, 12), row.account, stateOf(row), deviceOf(row), row.fleet ?? "-"],
    ...[mayOf(row), row.expires, row.created],
  ]);
  return output.line(
    formatTable(["ID", "ACCOUNT", "STATE", "DEVICE", "FLEET", "MAY", "EXPIRES", "CREATED"], rows),
  );
}

function stateOf({ state, claimed, used, revoked, enrolled }: InviteAnswer): string {
  switch (state) {
    case "claimed":
      return `claimed ${claimed}`;
    case "used":
      return `used by ${enrolled ?? "?"} ${used}`;
    case "revoked":
      return `revoked ${revoked}${claimed === null ? "" : `, claimed ${claimed}`}`;
    case "rotated":
      return "of no use: keys were rotated";
    default:
      return state;
  }
}

function deviceOf({ device, takeOver }: InviteAnswer): string {
  if (device === null) return "-";
  return takeOver === null ? device : `${device} (taken over)`;
}

function mayOf({ isolated, appendOnly }: InviteAnswer): string {
  if (appendOnly) return "adds only";
  return isolated ? "isolated" : "adds and reads";
}

async function revoke(context: CommandContext, account: string, which: string | undefined): Promise<void> {
  const { args, output } = context;
  if ((which === undefined) !== args.flag("all")) {
    throw new HoldfastError(ErrorCode.usage, "which invite? Give the beginning of its id, or --all", {
      next: `See: holdfast account invite list ${shellWord(account)}`,
    });
  }
  const gone = await withAdmin(context, ({ invites }) => invites.revoke(account, which ?? null));
  output.line(`${formatCount(gone.length, "invite")} of account ${account} revoked.`);
  const claimed = gone.filter((row) => row.claimed !== null);
  if (claimed.length > 0) {
    output.line(
      `${formatCount(claimed.length, "machine")} had the keys already and did not finish enrolling. If none of yours did: holdfast vault rotate ${shellWord(account)}`,
    );
  }
  output.event({ event: "done", account, revoked: gone });
}
