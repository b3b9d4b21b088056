// The rows of commands about jobs that run and ran, and about metrics.

import { jobKinds } from "../../gateway/jobs/jobRows.ts";
import type { CommandSpec } from "./command.ts";
import { data } from "./gatewayOptions.ts";

export const jobCommands: readonly CommandSpec[] = [
  {
    path: ["job", "list"],
    summary: "show the long work that a gateway does and did, the newest first",
    details: [
      "Backups as the gateway sees them, replication, scrubs, prunes, imports and the like, with how far each is, or what became of it. `interrupted`: the gateway ended while it ran, or an agent went away in the middle of its backup.",
      "jobs-kept and jobs-days in config.toml say how many are kept.",
    ],
    operands: [],
    options: [
      data,
      { name: "running", kind: "flag", summary: "only what runs now" },
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
    example: "holdfast job list --failed --since 7d --data /srv/holdfast",
    endsWithReader: true,
    load: () => import("../commands/jobList.ts"),
  },
  {
    path: ["job", "show"],
    summary: "show one job with its log",
    operands: [{ name: "ID", required: true }],
    options: [data],
    example: "holdfast job show 42 --data /srv/holdfast",
    load: () => import("../commands/jobShow.ts"),
  },
  {
    path: ["job", "follow"],
    summary: "show how far a job is, and its log as it grows, until it has ended",
    details: [
      "Exit status 0: it is done; 3: with warnings; 1: it failed, was stopped or interrupted. Ctrl-C ends looking; the job runs on.",
    ],
    operands: [{ name: "ID", required: true }],
    options: [data],
    example: "holdfast job follow 42 --data /srv/holdfast",
    endsWithReader: true,
    load: () => import("../commands/jobFollow.ts"),
  },
  {
    path: ["job", "cancel"],
    summary: "ask a job to stop cleanly",
    details: [
      "Work of the gateway ends at once, and its next run goes on where it stopped. A backup ends when its agent asks for something next, within seconds: what it sent is kept and not sent again, and agent run waits for the next due time. A machine that is asleep hears it when it wakes up.",
    ],
    operands: [{ name: "ID", required: true }],
    options: [data, { name: "wait", kind: "flag", summary: "until it has ended" }],
    example: "holdfast job cancel 42 --wait --data /srv/holdfast",
    load: () => import("../commands/jobCancel.ts"),
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
