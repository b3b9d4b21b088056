// Commands of the machine's owner that this program runs: what they are told, and how all of one is ended.

/** What only this program is to know. */
const secrets = ["HOLDFAST_PASSWORD", "HOLDFAST_PASSPHRASE"];

/** An environment without this program's secrets. */
export function withoutSecrets(environment: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(environment).filter(([name]) => !secrets.includes(name)));
}

/**
 * Signals all processes of a group.
 * @param group the process that leads it; undefined where it never started
 * @returns false where the group has no process (any more)
 */
export function signalGroup(group: number | undefined, signal: NodeJS.Signals | 0): boolean {
  try {
    return group !== undefined && process.kill(-group, signal);
  } catch {
    return false;
  }
}
