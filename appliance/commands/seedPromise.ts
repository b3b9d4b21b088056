// holdfast seed promise

import { resolve } from "node:path";
import type { AcceptProgress } from "../../gateway/seed/acceptSeal.ts";
import type { ManifestLook } from "../../gateway/seed/receive/lookAtManifest.ts";
import type { CommandContext } from "../cli/command.ts";
import { formatBytes, formatCount } from "../cli/units.ts";
import { assumedRates, estimateJson, estimateOf, estimateText, rateOf } from "../estimate.ts";
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
  if (args.flag("dry-run")) {
    const look = await withAdmin(context, ({ seed }) => seed.look(file, { onProgress, signal }));
    output.endProgress();
    return dryRun(context, look);
  }
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

/** How often taking a manifest in reads its lists: it copies them, compares them, looks through them and takes them over. */
const readings = 4;

function dryRun({ output }: CommandContext, look: ManifestLook): void {
  const { box, seal, already, packs, packBytes, chunks, snapshots, listBytes, readSeconds } = look;
  output.line(
    `Box ${box}, seal ${seal}: ${formatCount(packs, "pack")} of ${formatBytes(packBytes)}, ${formatCount(chunks, "chunk")}, ${formatCount(snapshots, "snapshot")}. The file is whole.`,
  );
  const rate = rateOf({ bytes: listBytes, seconds: readSeconds }, "this look", assumedRates.disk);
  const taking = estimateOf(already ? 0 : readings * listBytes, rate);
  output.line(
    already
      ? "It was taken in before: nothing is to be done."
      : `Taking it in reads its lists, ${formatBytes(listBytes)}, ${readings} times: ${estimateText(taking)}.`,
  );
  output.event({
    ...{ event: "done", dry_run: true, box, seal, already, packs, pack_bytes: packBytes, chunks, snapshots },
    ...{ list_bytes: listBytes, ...estimateJson(taking) },
  });
}
