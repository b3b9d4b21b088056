// holdfast service install

import type { CommandContext } from "../cli/command.ts";
import { driveSteps } from "../service/installDrive.ts";
import { installSteps, nextStep } from "../service/installService.ts";
import { serviceRequest } from "../service/request.ts";
import { takeSteps } from "../service/steps.ts";

export async function run(context: CommandContext): Promise<void> {
  const { args, output } = context;
  const request = await serviceRequest(args);
  if (request.what === "mount") {
    await takeSteps(await driveSteps(request, context), context);
    if (!args.flag("dry-run"))
      output.line(`The drive is at ${request.mountpoint}. Its log: journalctl -u ${request.instance}`);
    output.event({ event: "done", unit: request.instance, mountpoint: request.mountpoint });
    return;
  }
  await takeSteps(installSteps(request.what, context), context);
  if (!args.flag("dry-run")) output.line(nextStep(request.what, context));
  output.event({ event: "done", service: request.what });
}
