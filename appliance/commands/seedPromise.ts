// holdfast seed promise

import { resolve } from "node:path";
import type { AcceptProgress } from "../../gateway/seed/acceptSeal.ts";
import type { CommandContext } from "../cli/command.ts";
import { formatCount } from "../cli/units.ts";
import { withAdmin } from "../gatewayAccess.ts";
import { whenStopped } from "../whenStopped.ts";

const labels: Readonly<Record<AcceptProgress["phase"], string>> = {
  reading: "reading the file",
  checking: "checking the lists",
  promising: "taking in the lists",
};

export async function run(context: CommandContext): Promise<void> {
  const { args, output, signal } = context;
  const file = resolve(args.operand(0));
  const onProgress = ({ phase, bytesDone, bytes }: AcceptProgress): void =>
    output.progress({ label: labels[phase], unit: "list", bytes: bytesDone, total_bytes: bytes });
  const { accepted } = await whenStopped(
    context,
    () => "The manifest does not count yet. The same command goes on.",
    () => withAdmin(context, ({ seed }) => seed.promise(file, { onProgress, signal })),
  );
  output.endProgress();
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
