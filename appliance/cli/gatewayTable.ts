// The commands that the agent's package does not have (docs/packages.md), in the order of the help.

import { alertCommands } from "./alertCommands.ts";
import { auditCommands } from "./auditCommands.ts";
import type { CommandSpec } from "./command.ts";
import { gatewayCommands } from "./gatewayCommands.ts";
import { guardCommands } from "./guardCommands.ts";
import { homeCommands } from "./homeCommands.ts";
import { importCommands } from "./importCommands.ts";
import { itemCommands } from "./itemCommands.ts";
import { jobCommands } from "./jobCommands.ts";
import { keysCommands } from "./keysCommands.ts";
import { peerCommands } from "./peerCommands.ts";
import { replicaCommands } from "./replicaCommands.ts";
import { reportCommands } from "./reportCommands.ts";
import { retentionCommands } from "./retentionCommands.ts";
import { seedCommands } from "./seedCommands.ts";
import { tokenCommands } from "./tokenCommands.ts";

export const gatewayTable: readonly CommandSpec[] = [
  ...gatewayCommands,
  ...keysCommands,
  ...jobCommands,
  ...tokenCommands,
  ...auditCommands,
  ...itemCommands,
  ...retentionCommands,
  ...alertCommands,
  ...reportCommands,
  ...guardCommands,
  ...replicaCommands,
  ...peerCommands,
  ...homeCommands,
  ...importCommands,
  ...seedCommands,
];
