// holdfast agent address

import { atAddress } from "../../agent/home/newAddress.ts";
import { readEnrollment, writeEnrollment } from "../../agent/state/enrollment.ts";
import { lockState } from "../../agent/state/stateDirectory.ts";
import { gatewayOrigin } from "../../ingest/client/gatewayAddress.ts";
import { agentLine } from "../agentLine.ts";
import type { CommandContext } from "../cli/command.ts";
import { stateFolder } from "../locations.ts";

export async function run({ args, output, environment }: CommandContext): Promise<void> {
  const state = stateFolder(args.text("state"), environment);
  const [written] = args.operands;
  const former = readEnrollment(state);
  if (written !== undefined) {
    const url = gatewayOrigin(written);
    const line = await agentLine(state, environment, args);
    const lock = lockState(state);
    try {
      writeEnrollment(state, await atAddress(readEnrollment(state), url, line));
    } finally {
      lock.release();
    }
    if (url !== former.gateway.url) output.note(`It was ${former.gateway.url} before.`);
  }
  const { account, device, gateway } = readEnrollment(state);
  output.line(`Device ${device.name} of account ${account.name} backs up to ${gateway.url}.`);
  output.event({
    event: "done",
    url: gateway.url,
    fingerprint: gateway.fingerprint,
    former: former.gateway.url,
  });
}
