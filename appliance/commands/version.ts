// holdfast version

import { existsSync } from "node:fs";
import { join } from "node:path";
import { findEnrollment } from "../../agent/state/enrollment.ts";
import { GatewayClient } from "../../ingest/client/gatewayClient.ts";
import type { HelloAnswer } from "../../ingest/wire/messages.ts";
import { protocolVersions } from "../../ingest/wire/protocol.ts";
import { ErrorCode, HoldfastError } from "../../vault/errors.ts";
import { agentLine } from "../agentLine.ts";
import type { CommandContext } from "../cli/command.ts";
import { dataFolder, stateFolder } from "../locations.ts";
import { edition, version } from "../version.ts";

export async function run(context: CommandContext): Promise<void> {
  const { args, output } = context;
  const ours = { version, protocols: protocolVersions };
  output.line(`holdfast ${version}, protocol ${protocolVersions.join(", ")}`);
  if (!args.flag("check")) return output.event({ event: "done", ...ours });
  const gateway = await homeOf(context);
  const running = await runningHere(context);
  if (gateway === undefined && running === undefined) {
    throw new HoldfastError(ErrorCode.usage, "there is nothing to compare with on this machine", {
      next: "Name an enrolled machine's --state DIR, or the --data DIR of a gateway that runs.",
    });
  }
  if (running !== undefined) {
    output.line(`The gateway that runs here is ${running}.`);
    if (running !== version) output.warn(`it is not of the version that is installed: restart it`);
  }
  if (gateway !== undefined) {
    const { name, version: theirs, protocols, url } = gateway;
    const common = protocols.filter((each) => protocolVersions.includes(each));
    output.line(`The gateway ${name} at ${url} is ${theirs}, protocol ${protocols.join(", ")}.`);
    output.line(`They speak protocol ${Math.max(...common)} with each other.`);
    if (theirs !== version)
      output.note("Their versions differ, and they get on: upgrade the older when it suits you.");
  }
  output.event({ event: "done", ...ours, gateway: gateway ?? null, running: running ?? null });
}

/** The gateway of an enrolled machine. @throws HoldfastError unsupported where the two have no protocol in common */
async function homeOf({
  args,
  environment,
}: CommandContext): Promise<(HelloAnswer & { url: string }) | undefined> {
  const state = stateFolder(args.text("state"), environment);
  const enrollment = findEnrollment(state);
  if (enrollment === undefined) return undefined;
  const { url, fingerprint } = enrollment.gateway;
  const client = new GatewayClient({ url, fingerprint, line: await agentLine(state, environment) });
  try {
    return { ...(await client.hello()), url };
  } finally {
    client.close();
  }
}

/** The version of a gateway that runs on this machine. */
async function runningHere({ args, environment }: CommandContext): Promise<string | undefined> {
  const data = dataFolder(args.text("data"), environment);
  if (edition === "agent" || !existsSync(join(data, "gateway.json"))) return undefined;
  // The agent's package has none of it.
  const { AdminClient } = await import("../../gateway/admin/adminClient.ts");
  const client = new AdminClient(data);
  return (await client.isRunning()) ? (await client.status()).version : undefined;
}
