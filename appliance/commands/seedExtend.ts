// holdfast seed extend

import { statfsSync } from "node:fs";
import { userInfo } from "node:os";
import { resolve } from "node:path";
import { ErrorCode, HoldfastError } from "../../vault/errors.ts";
import type { CommandContext } from "../cli/command.ts";
import { formatBytes, formatCount } from "../cli/units.ts";
import { assumedRates, estimateJson, estimateOf, estimateText, rateOf } from "../estimate.ts";
import { withAdmin } from "../gatewayAccess.ts";

export async function run(context: CommandContext): Promise<void> {
  const { args, output } = context;
  const disk = resolve(args.requiredText("disk"));
  const by = args.text("by") ?? userInfo().username;
  await withAdmin(context, async ({ seed }) => {
    const { onBoard } = await seed.status();
    if (onBoard === null || onBoard.sealed) {
      const what =
        onBoard === null ? "this gateway is no box" : "the box is sealed: nothing more comes on board";
      throw new HoldfastError(ErrorCode.usage, what, {
        next:
          onBoard === null
            ? "Name the box's data directory: --data BOX."
            : "`holdfast seed seal --reopen` first.",
      });
    }
    const { packBytes } = onBoard;
    const { bavail, bsize } = statfsSync(disk);
    const freeBytes = bavail * bsize;
    output.line(`${formatBytes(packBytes)} are on board; ${formatBytes(freeBytes)} are free in ${disk}.`);
    if (args.flag("dry-run")) {
      const { sample } = await seed.readRate();
      const rate = rateOf(sample, formatCount(sample?.packs ?? 0, "pack"), assumedRates.disk);
      const copying = estimateOf(packBytes, rate);
      output.line(
        `Copying that to the second disk, while backups go on: ${estimateText(copying)}; longer where the second disk is slower.`,
      );
      return output.event({
        ...{ event: "done", dry_run: true, free_bytes: freeBytes, bytes: packBytes },
        ...estimateJson(copying),
      });
    }
    const { replica } = await seed.extend({ disk, by });
    output.line(`The box has a second disk, ${replica}: carry both.`);
    return output.event({ event: "done", replica, disk, free_bytes: freeBytes });
  });
}
