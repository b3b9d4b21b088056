// holdfast seed promise

import { resolve } from "node:path";
import type { CommandContext } from "../cli/command.ts";
import { formatCount } from "../cli/units.ts";
import { withAdmin } from "../gatewayAccess.ts";

export async function run(context: CommandContext): Promise<void> {
  const { args, output, signal } = context;
  const file = resolve(args.operand(0));
  const { accepted } = await withAdmin(context, ({ seed }) =>
    seed.promise(file, { onProgress: () => undefined, signal }),
  );
  if (accepted === null) {
    output.line("This manifest was taken in before.");
    return output.event({ event: "done", accepted: false });
  }
  const { box, seal, chunks, snapshots, forked, devices } = accepted;
  output.line(
    `Box ${box}, seal ${seal}: ${formatCount(chunks, "chunk")} promised, ${formatCount(snapshots, "snapshot")} pending.`,
  );
  if (forked > 0) {
    output.line(
      `${formatCount(forked, "snapshot")} went another way than the items here: see the items named (box ${box}).`,
    );
  }
  return output.event({ event: "done", accepted: true, box, seal, chunks, snapshots, forked, devices });
}
