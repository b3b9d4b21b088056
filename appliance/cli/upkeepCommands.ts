// The rows of commands that find damage in a gateway and bring back what is whole.

import type { CommandSpec, OptionSpec } from "./command.ts";
import { data, passphraseFile } from "./gatewayOptions.ts";

const vault: OptionSpec = {
  name: "vault",
  kind: "text",
  value: "ACCOUNT[/VAULT]",
  summary: "this vault alone",
};

export const upkeepCommands: readonly CommandSpec[] = [
  {
    path: ["gateway", "scrub"],
    summary: "read everything on the gateway's disk and heal what is damaged from a replica",
    details: [
      "Compares every local pack and snapshot with the hash that is its name. No key is needed. What is damaged or missing is replaced by a good copy from a replica where there is one, and both are reported: exit status 3 when all was healed, 1 when something was not.",
      "Ctrl-C stops; the next scrub goes on there, also after a restart. Evicted packs are not on this disk: `holdfast replica verify` looks at them.",
    ],
    operands: [],
    options: [
      data,
      {
        name: "limit",
        kind: "text",
        value: "RATE",
        summary: "read at most this much, like 50MiB/s, or by time as for replicas",
      },
      { name: "no-heal", kind: "flag", summary: "only report" },
      { name: "from-start", kind: "flag", summary: "begin anew where an earlier scrub was stopped" },
    ],
    example: "holdfast gateway scrub --limit 50MiB/s --data /srv/holdfast",
    load: () => import("../commands/gatewayScrub.ts"),
  },
  {
    path: ["gateway", "rebuild-index"],
    summary: "make the index of a vault anew from its packs",
    details: [
      "For an index that is lost or damaged, while no gateway runs on the directory. The new one is built beside the old one and takes its place in one step; stopped before that, nothing is lost. No key is needed.",
      "docs/repair.md says where everything comes from that is not in packs, and what is gone. A catalog (accounts, devices) that is lost comes back by `gateway restore-from` alone.",
    ],
    operands: [],
    options: [data, passphraseFile, vault],
    example: "holdfast gateway rebuild-index --data /srv/holdfast",
    load: () => import("../commands/gatewayRebuildIndex.ts"),
  },
];
