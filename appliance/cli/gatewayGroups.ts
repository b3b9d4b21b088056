// The commands that the agent's package does not have (docs/packages.md), by files.

import type { CommandSpec } from "./command.ts";

type Group = {
  /** Words that its commands begin with. */
  readonly words: readonly string[];
  readonly load: () => Promise<readonly CommandSpec[]>;
};

/** In the order of the help. */
export const gatewayGroups: readonly Group[] = [
  {
    words: ["gateway", "account", "device", "vault"],
    load: async () => (await import("./gatewayCommands.ts")).gatewayCommands,
  },
  {
    words: ["vault", "account", "escrow"],
    load: async () => (await import("./keysCommands.ts")).keysCommands,
  },
  { words: ["job", "gateway"], load: async () => (await import("./jobCommands.ts")).jobCommands },
  { words: ["token"], load: async () => (await import("./tokenCommands.ts")).tokenCommands },
  { words: ["gateway"], load: async () => (await import("./auditCommands.ts")).auditCommands },
  { words: ["item"], load: async () => (await import("./itemCommands.ts")).itemCommands },
  {
    words: ["retention", "gateway", "snapshot"],
    load: async () => (await import("./retentionCommands.ts")).retentionCommands,
  },
  { words: ["alert"], load: async () => (await import("./alertCommands.ts")).alertCommands },
  { words: ["report"], load: async () => (await import("./reportCommands.ts")).reportCommands },
  { words: ["guard"], load: async () => (await import("./guardCommands.ts")).guardCommands },
  { words: ["replica"], load: async () => (await import("./replicaCommands.ts")).replicaCommands },
  { words: ["peer"], load: async () => (await import("./peerCommands.ts")).peerCommands },
  { words: ["home"], load: async () => (await import("./homeCommands.ts")).homeCommands },
  { words: ["seed"], load: async () => (await import("./importCommands.ts")).importCommands },
  { words: ["seed"], load: async () => (await import("./seedCommands.ts")).seedCommands },
];

/** All commands of some groups, in their order. */
export async function loaded(groups: readonly Group[]): Promise<CommandSpec[]> {
  return (await Promise.all(groups.map(({ load }) => load()))).flat();
}
