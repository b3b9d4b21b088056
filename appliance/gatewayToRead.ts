// --gateway and --fingerprint of commands that only read: a gateway in the place of this machine's home.

import type { GatewayAddress } from "../agent/session/connection.ts";
import { parseFingerprint } from "../ingest/client/fingerprint.ts";
import { ErrorCode, HoldfastError } from "../vault/errors.ts";
import type { CommandContext } from "./cli/command.ts";

/** The gateway that is named, pinned; undefined for the home. @throws HoldfastError usage */
export function gatewayToRead({ args }: Pick<CommandContext, "args">): GatewayAddress | undefined {
  const [url, fingerprint] = [args.text("gateway"), args.text("fingerprint")];
  if (url === undefined && fingerprint === undefined) return undefined;
  if (url === undefined || fingerprint === undefined) {
    throw new HoldfastError(ErrorCode.usage, "--gateway and --fingerprint go together", {
      next: "`holdfast seed stage-restore` printed both for the box that it made.",
    });
  }
  const parsed = URL.canParse(url) ? new URL(url) : undefined;
  if (parsed?.protocol !== "https:" || parsed.origin !== url.replace(/\/$/, "")) {
    throw new HoldfastError(ErrorCode.usage, `--gateway is not of the form https://HOST:PORT: ${url}`);
  }
  return { url: parsed.origin, fingerprint: parseFingerprint(fingerprint) };
}
