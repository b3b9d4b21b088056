// holdfast service uninstall

import { rmSync } from "node:fs";
import type { CommandContext } from "../cli/command.ts";
import { driveRemoval } from "../service/installDrive.ts";
import { serviceRequest } from "../service/request.ts";
import { isWritten, ownUnitPath, type Step, systemctlStep, takeSteps } from "../service/steps.ts";
import { type ServiceName, services } from "../service/units.ts";

function removal(name: ServiceName): Step[] {
  const { unit } = services[name];
  const path = ownUnitPath(unit);
  const written = isWritten(path) ? [{ says: `delete ${path}`, does: () => rmSync(path) }] : [];
  return [systemctlStep("disable", "--now", unit), ...written, systemctlStep("daemon-reload")];
}

export async function run(context: CommandContext): Promise<void> {
  const { args, output } = context;
  const request = await serviceRequest(args);
  await takeSteps(request.what === "mount" ? driveRemoval(request) : removal(request.what), context);
  if (request.what !== "mount" && !args.flag("dry-run"))
    output.line(`What is in ${services[request.what].directory}, or where else it worked, stays.`);
  output.event({ event: "done", service: request.what });
}
