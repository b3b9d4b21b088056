// The services of this machine, where systemd runs it: what it knows of them, and whether their directories are theirs.

import { existsSync, readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { systemdRuns, unitProperties } from "../service/systemctl.ts";
import { type Service, services } from "../service/units.ts";
import { type Finding, good, note, problem } from "./finding.ts";

/** One finding for each service that is installed; none without systemd. */
export async function checkServices(): Promise<Finding[]> {
  if (process.platform !== "linux" || !systemdRuns()) return [];
  const found = await Promise.all(Object.values(services).map(checkService));
  return found.flat();
}

async function checkService(service: Service): Promise<Finding[]> {
  const { unit, directory, begun, begin } = service;
  const properties = [
    "LoadState",
    "ActiveState",
    "SubState",
    "UnitFileState",
    "NRestarts",
    "StatusText",
    "User",
    "Result",
  ];
  let told: Map<string, string>;
  try {
    told = await unitProperties(unit, ...properties);
  } catch (error) {
    return [note(unit, `systemd does not answer: ${(error as Error).message}`, "systemctl status")];
  }
  const of = (name: string): string => told.get(name) ?? "";
  if (of("LoadState") !== "loaded") return [];
  const log = `journalctl -u ${unit}`;
  const restarts = Number(of("NRestarts"));
  const findings: Finding[] = [];
  if (of("ActiveState") === "failed" || of("SubState") === "auto-restart") {
    findings.push(problem(unit, `fails (${of("Result")}), started again ${restarts} times`, log));
  } else if (of("ActiveState") === "active") {
    findings.push(
      restarts === 0
        ? good(unit, of("StatusText") || "runs")
        : note(unit, `runs, and was started again ${restarts} times`, log),
    );
  } else if (!existsSync(join(directory, begun))) {
    findings.push(note(unit, "has nothing to run yet", begin));
  } else {
    findings.push(note(unit, "does not run", `systemctl start ${unit}`));
  }
  if (of("UnitFileState") === "disabled")
    findings.push(
      note(unit, "will not run after the next start of this machine", `systemctl enable ${unit}`),
    );
  return [...findings, ...checkOwner(service, of("User"))];
}

/** Root's own drives keep their logs there. */
const ofRoot = "drives";

/** What the service could not write: left by a command that another user ran. */
function checkOwner({ directory, user }: Service, runsAs: string): Finding[] {
  if (runsAs !== user || !existsSync(directory)) return [];
  try {
    const { uid } = statSync(directory);
    const foreign = readdirSync(directory).filter(
      (name) => name !== ofRoot && statSync(join(directory, name)).uid !== uid,
    );
    if (foreign.length === 0) return [];
    return [
      problem(directory, `${foreign.join(", ")}: not the service's own`, `chown -R ${user}: ${directory}`),
    ];
  } catch {
    return []; // another user than root looks
  }
}
