// An agent's state directory, if there is one, and its gateway.

import { existsSync } from "node:fs";
import { join } from "node:path";
import { AgentConnection } from "../../agent/session/connection.ts";
import { HoldfastError } from "../../vault/errors.ts";
import { agentLine } from "../agentLine.ts";
import { checkPrivate, checkRoom, roomBytesMin } from "./diskChecks.ts";
import { type Finding, good, note, problem } from "./finding.ts";

/** The directory, its room, and whether the gateway answers this device and its keys open. */
export async function checkAgent(state: string, environment: NodeJS.ProcessEnv): Promise<Finding[]> {
  const room = checkRoom("the agent's state", state, roomBytesMin.agent);
  if (!existsSync(join(state, "agent.json"))) {
    return [
      room,
      note("agent", `this machine is not enrolled in ${state}`, "holdfast agent enroll URL --account NAME"),
    ];
  }
  const findings = [room, checkPrivate("agent's state directory", state)];
  try {
    const line = await agentLine(state, environment);
    const connection = new AgentConnection(state, undefined, { line });
    try {
      const { gateway, device, account, vault } = connection.enrollment;
      await connection.keys(vault, "read");
      findings.push(
        good("agent", `device ${device.name} of ${account.name}; the gateway at ${gateway.url} answers`),
      );
    } finally {
      connection.close();
    }
  } catch (error) {
    if (!(error instanceof HoldfastError)) throw error;
    findings.push(problem("agent", error.message, error.next ?? "See docs/errors.md."));
  }
  return findings;
}
