// holdfast agent enroll

import { readFileSync } from "node:fs";
import { hostname } from "node:os";
import { enroll } from "../../agent/enroll/enroll.ts";
import { enrollByInvite } from "../../agent/enroll/enrollByInvite.ts";
import type { Enrollment } from "../../agent/state/enrollment.ts";
import { parseFingerprint } from "../../ingest/client/fingerprint.ts";
import { gatewayOrigin } from "../../ingest/client/gatewayAddress.ts";
import { type InviteFile, parseInviteFile } from "../../ingest/client/inviteFile.ts";
import { probeGateway } from "../../ingest/client/pinnedAgent.ts";
import type { Line } from "../../ingest/line/line.ts";
import { checkName } from "../../ingest/wire/names.ts";
import { ErrorCode, HoldfastError, isHoldfastError } from "../../vault/errors.ts";
import { agentLine, lineWords } from "../agentLine.ts";
import type { CommandContext } from "../cli/command.ts";
import { askCode, askYes, readPassword } from "../cli/password.ts";
import { stateFolder } from "../locations.ts";
import { startEnabled } from "../service/startEnabled.ts";

/** The public key to pin: given, vouched for by a known authority, or agreed to by the person at the terminal. */
async function acceptedFingerprint(url: string, line: Line, context: CommandContext): Promise<string> {
  const { args, output, signal } = context;
  const given = args.text("fingerprint");
  if (given !== undefined) return parseFingerprint(given);
  const { fingerprint, trusted } = await probeGateway(url, { line });
  if (trusted) {
    output.note(`A known authority vouches for ${url}; its key is pinned: ${fingerprint}`);
    return fingerprint;
  }
  const next = `Compare it with what \`holdfast gateway status\` shows on the gateway, then add --fingerprint ${fingerprint}`;
  const unknown = (): HoldfastError =>
    new HoldfastError(
      ErrorCode.fingerprintUnknown,
      `nobody vouches for ${url}, whose fingerprint is ${fingerprint}`,
      {
        next,
        detail: { fingerprint },
      },
    );
  if (!output.interactive) throw unknown();
  output.note(
    `Nobody vouches for ${url}. Its fingerprint is\n  ${fingerprint}\nCompare it with the gateway's own.`,
  );
  if (!(await askYes("Is it the same?", signal, next))) throw unknown();
  return fingerprint;
}

export async function run(context: CommandContext): Promise<void> {
  const { args, output, environment } = context;
  const invite = args.text("invite");
  const state = stateFolder(args.text("state"), environment);
  const line = await agentLine(state, environment, args);
  const way = { state, line };
  const { account, device, gateway } =
    invite === undefined ? await byPassword(context, way) : await byInvite(context, invite, way);
  output.line(
    `This machine is enrolled as device ${device.name} of account ${account.name} at ${gateway.url}.`,
  );
  output.line(`Its key is in ${state}. Next: holdfast agent backup PATH`);
  if (lineWords(args).length > 0)
    output.note(
      `The way by ${lineWords(args).join(" ")} counted for this command. To go it always, say so in ${state}/config.toml.`,
    );
  await startEnabled("agent", state, output);
  output.event({
    event: "done",
    account: account.name,
    device: device.name,
    id: device.id,
    group: device.group,
    state,
  });
}

function deviceNameOf({ args }: CommandContext): string {
  return checkName(args.text("device") ?? hostname(), "device");
}

type Way = { readonly state: string; readonly line: Line };

async function byPassword(context: CommandContext, { state, line }: Way): Promise<Enrollment> {
  const { args, output } = context;
  const [written] = args.operands;
  if (written === undefined) {
    throw new HoldfastError(ErrorCode.usage, "agent enroll needs URL, or --invite FILE", {
      next: "See: holdfast help agent enroll",
    });
  }
  const url = gatewayOrigin(written);
  const account = args.requiredText("account");
  const deviceName = deviceNameOf(context);
  const fingerprint = await acceptedFingerprint(url, line, context);
  return await enroll({
    url,
    fingerprint,
    account,
    password: await readPassword(context),
    code: args.text("totp"),
    ...(output.interactive && { askCode: () => askCode(context) }),
    deviceName,
    isolated: args.flag("isolated"),
    appendOnly: args.flag("append-only"),
    takeOver: takenOver(context),
    state,
    replace: args.flag("replace"),
    now: new Date(),
    line,
  });
}

/** @throws HoldfastError usage with what is the former device's to say */
function takenOver({ args }: CommandContext): string | undefined {
  const device = args.text("take-over");
  const said = args.flag("isolated") ? "isolated" : args.flag("append-only") ? "append-only" : undefined;
  const other = args.text("device") === undefined ? said : "device";
  if (device === undefined || other === undefined) return device;
  throw new HoldfastError(ErrorCode.usage, `--take-over and --${other} do not go together`, {
    next: "Name and rights of the device stay as they are: leave it out.",
  });
}

async function byInvite(context: CommandContext, path: string, { state, line }: Way): Promise<Enrollment> {
  const { args } = context;
  const said = [
    ...["account", "password-file", "totp", "fingerprint", "take-over"].filter(
      (name) => args.text(name) !== undefined,
    ),
    ...["isolated", "append-only"].filter((name) => args.flag(name)),
  ];
  if (args.operands.length > 0 || said.length > 0) {
    const what = args.operands.length > 0 ? "URL" : `--${said[0]}`;
    throw new HoldfastError(ErrorCode.usage, `--invite and ${what} do not go together: the file says that`, {
      next: "Leave it out.",
    });
  }
  const file = readInviteFile(path);
  return await enrollByInvite({
    file,
    deviceName: file.device ?? deviceNameOf(context),
    state,
    replace: args.flag("replace"),
    now: new Date(),
    line,
  });
}

/** @throws HoldfastError usage for a file that is no invite; the system's error */
function readInviteFile(path: string): InviteFile {
  const text = readFileSync(path, "utf8");
  try {
    return parseInviteFile(text);
  } catch (error) {
    if (!isHoldfastError(error)) throw error;
    throw new HoldfastError(ErrorCode.usage, `${path}: ${error.message}`, {
      next: "Give --invite a file that `holdfast account invite` wrote.",
      cause: error,
    });
  }
}
