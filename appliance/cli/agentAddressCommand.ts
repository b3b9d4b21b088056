// The row of `agent address`.

import { proxy, state } from "./agentOptions.ts";
import type { CommandSpec } from "./command.ts";

export const agentAddressCommand: CommandSpec = {
  path: ["agent", "address"],
  summary: "go on with the same gateway at another address; without URL: show where it is",
  details: [
    "For a gateway that got another name, address or port, and kept its key and its data: it has to answer there with the key that this machine pinned, and to know this device, or nothing is changed. No password is needed. `agent run` and the next backup go there; one that is under way has to end first.",
  ],
  operands: [{ name: "URL" }],
  options: [...proxy, state],
  example: "holdfast agent address https://backup.example:7440",
  load: () => import("../commands/agentAddress.ts"),
};
