// holdfast agent enroll

import { hostname } from "node:os";
import { enroll } from "../../agent/enroll/enroll.ts";
import { parseFingerprint } from "../../ingest/client/fingerprint.ts";
import { probeGateway } from "../../ingest/client/pinnedAgent.ts";
import { checkName } from "../../ingest/wire/names.ts";
import { ErrorCode, HoldfastError } from "../../vault/errors.ts";
import type { CommandContext } from "../cli/command.ts";
import { askCode, askYes, readPassword } from "../cli/password.ts";
import { stateFolder } from "../locations.ts";

/** The gateway's address in one form: https, host and port alone. @throws HoldfastError usage */
function gatewayUrl(written: string): string {
  let url: URL;
  try {
    url = new URL(/^[a-z]+:\/\//i.test(written) ? written : `https://${written}`);
  } catch (cause) {
    throw new HoldfastError(ErrorCode.usage, `not a gateway's address: ${written}`, {
      next: "Write it like https://backup.example:7440.",
      cause,
    });
  }
  if (url.protocol !== "https:" || url.username !== "" || url.pathname !== "/" || url.search !== "") {
    throw new HoldfastError(ErrorCode.usage, `not a gateway's address: ${written}`, {
      next: "Write it like https://backup.example:7440.",
    });
  }
  return url.origin;
}

/** The public key to pin: given, vouched for by a known authority, or agreed to by the person at the terminal. */
async function acceptedFingerprint(url: string, context: CommandContext): Promise<string> {
  const { args, output, signal } = context;
  const given = args.text("fingerprint");
  if (given !== undefined) return parseFingerprint(given);
  const { fingerprint, trusted } = await probeGateway(url);
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
  const url = gatewayUrl(args.operand(0));
  const account = args.requiredText("account");
  const deviceName = checkName(args.text("device") ?? hostname(), "device");
  const state = stateFolder(args.text("state"), environment);
  const fingerprint = await acceptedFingerprint(url, context);
  const { device, gateway } = await enroll({
    url,
    fingerprint,
    account,
    password: await readPassword(context),
    code: args.text("totp"),
    ...(output.interactive && { askCode: () => askCode(context) }),
    deviceName,
    isolated: args.flag("isolated"),
    appendOnly: args.flag("append-only"),
    state,
    replace: args.flag("replace"),
    now: new Date(),
  });
  output.line(`This machine is enrolled as device ${device.name} of account ${account} at ${gateway.url}.`);
  output.line(`Its key is in ${state}. Next: holdfast agent backup PATH`);
  output.event({ event: "done", account, device: device.name, id: device.id, group: device.group, state });
}
