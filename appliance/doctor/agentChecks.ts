// An agent's state directory, if there is one, and its gateway.

import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { HookJournal } from "../../agent/hooks/hookJournal.ts";
import { AgentConnection } from "../../agent/session/connection.ts";
import { HoldfastError } from "../../vault/errors.ts";
import { agentLine } from "../agentLine.ts";
import { formatCount } from "../cli/units.ts";
import { isAlive } from "../isAlive.ts";
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
  const findings = [room, checkPrivate("agent's state directory", state), ...checkHooks(state)];
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

/** What a run with hooks that was killed has not undone yet (docs/hooks.md). */
export function checkHooks(state: string): Finding[] {
  const about = "hooks";
  const next = "The next `holdfast agent backup`, or start of `holdfast agent run`, does it first.";
  try {
    const { run, snapshots, wasDamaged } = new HookJournal(state);
    if (isRunning(state)) return [];
    if (wasDamaged)
      return [
        note(
          about,
          `${join(state, "hooks.json")} cannot be read: a killed run may have left something`,
          next,
        ),
      ];
    if (run === undefined && snapshots.length === 0) return [];
    const names = snapshots.map(({ name, source }) => `${name} of ${source}`);
    const left = `${formatCount(names.length, "snapshot")} of sources${names.length > 0 ? ` (${names.join(", ")})` : ""}`;
    const commands = run === undefined ? "" : `, and the commands after a backup of ${run.item}`;
    return [note(about, `a run was killed, and left ${left}${commands}`, next)];
  } catch (error) {
    if (!(error instanceof HoldfastError)) throw error;
    return [problem(about, error.message, error.next ?? "See docs/errors.md.")];
  }
}

/** Whether the process that last held the state's lock is there still: then all is in its hands. The lock itself is not tried, a backup may want it. */
function isRunning(state: string): boolean {
  try {
    const pid = Number(readFileSync(join(state, "lock"), "utf8"));
    return pid > 0 && isAlive(pid);
  } catch {
    return false;
  }
}
