// Options that commands for the protected machine share.

import type { OptionSpec } from "./command.ts";

export const state: OptionSpec = {
  name: "state",
  kind: "text",
  value: "DIR",
  summary: "the agent's state directory (else HOLDFAST_STATE, else the usual place)",
};
export const item: OptionSpec = {
  name: "item",
  kind: "text",
  value: "NAME",
  summary: "the protected item that is meant",
};
