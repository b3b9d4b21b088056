// holdfast seed extend

import { statfsSync } from "node:fs";
import { userInfo } from "node:os";
import { resolve } from "node:path";
import type { CommandContext } from "../cli/command.ts";
import { formatBytes } from "../cli/units.ts";
import { withAdmin } from "../gatewayAccess.ts";

export async function run(context: CommandContext): Promise<void> {
  const { args, output } = context;
  const disk = resolve(args.requiredText("disk"));
  const by = args.text("by") ?? userInfo().username;
  await withAdmin(context, async ({ seed }) => {
    const { onBoard } = await seed.status();
    const { bavail, bsize } = statfsSync(disk);
    const freeBytes = bavail * bsize;
    output.line(
      `${formatBytes(onBoard?.packBytes ?? 0)} are on board; ${formatBytes(freeBytes)} are free in ${disk}.`,
    );
    if (args.flag("dry-run")) return output.event({ event: "done", dry_run: true, free_bytes: freeBytes });
    const { replica } = await seed.extend({ disk, by });
    output.line(`The box has a second disk, ${replica}: carry both.`);
    return output.event({ event: "done", replica, disk, free_bytes: freeBytes });
  });
}
