// holdfast doctor

import { ErrorCode, HoldfastError } from "../../vault/errors.ts";
import type { CommandContext } from "../cli/command.ts";
import { formatCount } from "../cli/units.ts";
import { checkAgent } from "../doctor/agentChecks.ts";
import { type Finding, FindingState } from "../doctor/finding.ts";
import { checkMachine } from "../doctor/machineChecks.ts";
import { checkServices } from "../doctor/serviceChecks.ts";
import { dataFolder, stateFolder } from "../locations.ts";
import { edition } from "../version.ts";

const marks = { good: "ok", note: "note", problem: "PROBLEM" } as const;

export async function run({ args, output, environment }: CommandContext): Promise<void> {
  const data = dataFolder(args.text("data"), environment);
  const state = stateFolder(args.text("state"), environment);
  const findings: Finding[] = [
    ...(await checkMachine(environment)),
    ...(edition === "whole" ? await checkGateway(data) : []),
    ...(await checkAgent(state, environment)),
    ...(await checkServices()),
  ];
  for (const { about, state: found, message, next } of findings) {
    output.line(`${marks[found].padEnd(8)} ${about}: ${message}`);
    if (next !== undefined && found !== FindingState.good) output.line(`         ${next}`);
    output.event({ event: "finding", about, state: found, message, ...(next === undefined ? {} : { next }) });
  }
  const problems = findings.filter(({ state: found }) => found === FindingState.problem);
  const first = problems[0];
  if (first !== undefined) {
    throw new HoldfastError(
      ErrorCode.unsupported,
      `${formatCount(problems.length, "problem")} found: ${problems.map(({ about }) => about).join(", ")}`,
      { next: first.next ?? "See above." },
    );
  }
  output.line("Holdfast can work here.");
  output.event({ event: "done", problems: 0 });
}

/** The agent's package has nothing of it. */
async function checkGateway(data: string): Promise<Finding[]> {
  const checks = await import("../doctor/gatewayChecks.ts");
  return checks.checkGateway(data);
}
