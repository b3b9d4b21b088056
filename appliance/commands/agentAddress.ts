// holdfast agent address

import { atAddress } from "../../agent/home/newAddress.ts";
import { type Enrollment, readEnrollment, writeEnrollment } from "../../agent/state/enrollment.ts";
import { lockState } from "../../agent/state/stateDirectory.ts";
import { gatewayOrigin } from "../../ingest/client/gatewayAddress.ts";
import { agentLine } from "../agentLine.ts";
import type { CommandContext } from "../cli/command.ts";
import { stateFolder } from "../locations.ts";

export async function run(context: CommandContext): Promise<void> {
  const { args, output, environment } = context;
  const state = stateFolder(args.text("state"), environment);
  const former = readEnrollment(state).gateway.url;
  const [written] = args.operands;
  const { account, device, gateway } =
    written === undefined ? readEnrollment(state) : await moved(context, state, gatewayOrigin(written));
  if (gateway.url !== former) output.note(`It was ${former} before.`);
  output.line(`Device ${device.name} of account ${account.name} backs up to ${gateway.url}.`);
  output.event({ event: "done", ...gateway, former });
}

/** Read again under the lock: a run that has just ended may have followed the home elsewhere. */
async function moved({ args, environment }: CommandContext, state: string, url: string): Promise<Enrollment> {
  const line = await agentLine(state, environment, args);
  const lock = lockState(state);
  try {
    const enrollment = await atAddress(readEnrollment(state), url, line);
    writeEnrollment(state, enrollment);
    return enrollment;
  } finally {
    lock.release();
  }
}
