// After `gateway init` and `agent enroll` of a machine whose service waits for exactly that.

import type { Output } from "../cli/output/output.ts";
import { mayActAsRoot, systemdRuns, systemProgram, unitProperties } from "./systemctl.ts";
import { type ServiceName, services } from "./units.ts";

/**
 * Starts the service if it is enabled and its unit is about this directory. True where it does; a failure is said and is none of the
 * command, which did its work.
 */
export async function startEnabled(name: ServiceName, directory: string, output: Output): Promise<boolean> {
  const { unit } = services[name];
  // Another user's directory is none of the machine's services, and systemd would not obey that user.
  if (!systemdRuns() || !mayActAsRoot()) return false;
  try {
    const found = await unitProperties(unit, "UnitFileState", "Environment");
    const words = found.get("Environment")?.split(" ") ?? [];
    const isAbout = words.some((word) => word.endsWith(`=${directory}`));
    if (found.get("UnitFileState") !== "enabled" || !isAbout) return false;
    await systemProgram("systemctl", "start", "--no-block", "--", unit);
    output.line(`${unit} starts, and does so whenever the machine does: systemctl status ${unit}`);
    output.event({ event: "service-started", unit });
    return true;
  } catch (error) {
    output.note(`${unit} was not started: ${(error as Error).message}`);
    return false;
  }
}
