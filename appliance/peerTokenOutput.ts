// A peer's token file is given out once: on stdout, or in a new file that only its owner may read.

import { closeSync, fsyncSync, rmSync, writeFileSync } from "node:fs";
import { hostname } from "node:os";
import type { IssuedPeer } from "../gateway/admin/peerOperations.ts";
import { parseListen } from "../gateway/listenAddress.ts";
import { formatPeerToken } from "../gateway/replica/peer/tokenFile.ts";
import { gatewayOrigin } from "../ingest/client/gatewayAddress.ts";
import type { CommandContext } from "./cli/command.ts";
import { openNewFile } from "./recoveryKeyOutput.ts";

/** Runs `issue` and gives out what it made. The file is opened before, so that a place that cannot be written costs nothing. */
export async function giveOutToken(
  context: CommandContext,
  issue: () => Promise<IssuedPeer>,
): Promise<IssuedPeer> {
  const { args, output } = context;
  const written = args.text("url");
  const given = written === undefined ? undefined : gatewayOrigin(written);
  const file = args.text("token-file");
  const fd = file === undefined ? undefined : openNewFile(file, "a token");
  let issued: IssuedPeer;
  try {
    issued = await issue();
  } catch (error) {
    if (fd !== undefined) {
      closeSync(fd);
      rmSync(file!, { force: true });
    }
    throw error;
  }
  const { name, token, fingerprint, signer, listen } = issued;
  const url = given ?? ownUrl(listen);
  const text = formatPeerToken({ url, fingerprint, name, token, signer });
  if (fd === undefined) {
    output.once(text.trimEnd(), { event: "peer-token", url, fingerprint, name, token, signer });
    output.note("Shown only now. Put it into a file (mode 0600) on the other gateway:");
  } else {
    writeFileSync(fd, text);
    fsyncSync(fd);
    closeSync(fd);
    output.line(`Token file written to ${file}. On the other gateway:`);
  }
  const next = `  holdfast replica add offsite ${url} --token-file ${file ?? "FILE"}`;
  if (fd === undefined) output.note(next);
  else output.line(next);
  return issued;
}

/** By the settings, with this machine's name where they say "every address". */
export function ownUrl(listen: string): string {
  const { host, port } = parseListen(listen);
  const shown = /^(0\.0\.0\.0|::)$/.test(host) ? hostname() : host;
  return `https://${shown.includes(":") ? `[${shown}]` : shown}:${port}`;
}
