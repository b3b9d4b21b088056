// Where things are when no option says so.
//
//   gateway's data   --data, HOLDFAST_DATA, root: /var/lib/holdfast/gateway, others: $XDG_DATA_HOME/holdfast/gateway
//   agent's state    --state, HOLDFAST_STATE, root: /var/lib/holdfast/agent, others: $XDG_CONFIG_HOME/holdfast/agent
//   quickstart       --dir, root: /var/lib/holdfast/quickstart, others: $XDG_DATA_HOME/holdfast/quickstart

import { homedir } from "node:os";
import { join, resolve } from "node:path";

type Environment = NodeJS.ProcessEnv;

const system = "/var/lib/holdfast";

function isRoot(): boolean {
  return process.getuid?.() === 0;
}

/** An XDG base folder; the specification has relative ones ignored. */
function baseFolder(given: string | undefined, usual: string): string {
  return given?.startsWith("/") ? given : join(homedir(), usual);
}

/** The gateway's data directory. */
export function dataFolder(given: string | undefined, environment: Environment): string {
  const named = given ?? environment.HOLDFAST_DATA;
  if (named !== undefined && named !== "") return resolve(named);
  if (isRoot()) return join(system, "gateway");
  return join(baseFolder(environment.XDG_DATA_HOME, ".local/share"), "holdfast", "gateway");
}

/** The agent's state directory. */
export function stateFolder(given: string | undefined, environment: Environment): string {
  const named = given ?? environment.HOLDFAST_STATE;
  if (named !== undefined && named !== "") return resolve(named);
  if (isRoot()) return join(system, "agent");
  return join(baseFolder(environment.XDG_CONFIG_HOME, ".config"), "holdfast", "agent");
}

/** The folder of `quickstart`. */
export function quickstartFolder(given: string | undefined, environment: Environment): string {
  if (given !== undefined) return resolve(given);
  if (isRoot()) return join(system, "quickstart");
  return join(baseFolder(environment.XDG_DATA_HOME, ".local/share"), "holdfast", "quickstart");
}
