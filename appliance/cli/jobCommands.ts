// The rows of commands about jobs that run and ran, and about metrics.

import { jobKinds } from "../../gateway/jobs/jobRows.ts";
import type { CommandSpec } from "./command.ts";
import { data } from "./gatewayOptions.ts";

export const jobCommands: readonly CommandSpec[] = [
  {
    path: ["gateway", "jobs"],
    summary: "show the long work that a gateway does and did, the newest first",
    details: [
      "Backups as the gateway sees them, replication, scrubs, prunes, imports and the like, with what became of each. `interrupted`: the gateway ended while it ran, or an agent went away in the middle of its backup.",
      "jobs-kept and jobs-days in config.toml say how many are kept.",
    ],
    operands: [],
    options: [
      data,
      { name: "failed", kind: "flag", summary: "only what failed or was interrupted" },
      { name: "kind", kind: "text", choices: jobKinds, summary: "only jobs of this kind" },
      {
        name: "since",
        kind: "text",
        value: "TIME",
        summary: "only what began then or later: RFC 3339, or so long ago, like 2d",
      },
      { name: "limit", kind: "integer", value: "N", summary: "so many at most (50)" },
    ],
    example: "holdfast gateway jobs --failed --since 7d --data /srv/holdfast",
    endsWithReader: true,
    load: () => import("../commands/gatewayJobs.ts"),
  },
  {
    path: ["gateway", "job"],
    summary: "show one job",
    operands: [{ name: "ID", required: true }],
    options: [data],
    example: "holdfast gateway job 42 --data /srv/holdfast",
    load: () => import("../commands/gatewayJob.ts"),
  },
  {
    path: ["gateway", "metrics"],
    summary: "print the metrics of the running gateway, as /metrics gives them to Prometheus",
    operands: [],
    options: [data],
    example: "holdfast gateway metrics --data /srv/holdfast",
    endsWithReader: true,
    load: () => import("../commands/gatewayMetrics.ts"),
  },
  {
    path: ["gateway", "metrics-token"],
    summary: "make a token with which Prometheus may read /metrics; the one before ends",
    details: ["It is printed once and reads nothing but metrics, which name accounts, devices and items."],
    operands: [],
    options: [data, { name: "remove", kind: "flag", summary: "end the token and make none" }],
    example: "holdfast gateway metrics-token --data /srv/holdfast",
    load: () => import("../commands/gatewayMetricsToken.ts"),
  },
];
