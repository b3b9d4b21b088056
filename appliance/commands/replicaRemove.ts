// holdfast replica remove

import type { CommandContext } from "../cli/command.ts";
import { formatCount } from "../cli/units.ts";
import { withAdmin } from "../gatewayAccess.ts";

export async function run(context: CommandContext): Promise<void> {
  const { args, output, signal } = context;
  const name = args.operand(0);
  const onProgress = ({ fetchedPacks }: { readonly fetchedPacks: number }): void =>
    output.progress({ label: "fetching back", unit: "pack", files: fetchedPacks, bytes: 0 });
  const request = { name, abandon: args.flag("abandon") };
  const { fetchedPacks } = await withAdmin(context, ({ replicas }) =>
    replicas.remove(request, { onProgress, signal }),
  );
  output.endProgress();
  if (fetchedPacks > 0)
    output.line(`${formatCount(fetchedPacks, "pack")} that were nowhere else were fetched back.`);
  output.line(`Replica ${name} is no longer kept. What is there stays there.`);
  output.event({ event: "done", name, fetched_packs: fetchedPacks });
}
