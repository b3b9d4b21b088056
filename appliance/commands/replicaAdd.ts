// holdfast replica add

import type { ReplicaOptions } from "../../gateway/catalog/replicas.ts";
import { ErrorCode, HoldfastError } from "../../vault/errors.ts";
import type { Arguments } from "../cli/arguments.ts";
import type { CommandContext } from "../cli/command.ts";
import { replicaPlaceOf } from "../cli/replicaPlace.ts";
import { withAdmin } from "../gatewayAccess.ts";

const parallelDefault = 4;
const parallelMax = 64;

export async function run(context: CommandContext): Promise<void> {
  const { args, output } = context;
  const parallel = args.integer("parallel") ?? parallelDefault;
  if (parallel < 1 || parallel > parallelMax) {
    throw new HoldfastError(ErrorCode.usage, `--parallel is 1 to ${parallelMax}`);
  }
  const fingerprint = args.text("fingerprint");
  const request = {
    name: args.operand(0),
    url: args.operand(1),
    options: optionsOf(args),
    bandwidth: args.text("bandwidth") ?? "",
    schedule: args.text("schedule") ?? "",
    parallel,
    ...(fingerprint !== undefined && { fingerprint }),
  };
  const { replica, running } = await withAdmin(context, async (operations, running) => ({
    replica: await operations.replicas.add(request),
    running,
  }));
  output.line(
    `Replica ${replica.name} at ${replica.url} was tried: it can be written, read and deleted from.`,
  );
  for (const note of replica.notes) output.note(note);
  output.line(
    running
      ? `The gateway copies to it from now on; \`holdfast replica status ${replica.name}\` shows how far it is.`
      : `\`holdfast replica run ${replica.name}\` copies now; a running gateway does after every snapshot.`,
  );
  const { id, name, url, conditionalPuts, notes } = replica;
  output.event({ event: "done", id, name, url, conditional_puts: conditionalPuts, notes });
}

/** The files' paths as the gateway will find them, wherever it runs. */
function optionsOf(args: Arguments): ReplicaOptions {
  const lockDays = args.text("lock-days");
  return {
    ...replicaPlaceOf(args),
    ...(lockDays !== undefined && { lockDays: parseLockDays(lockDays) }),
  };
}

/** "30" for all, or "30:7" for packs and the rest. */
function parseLockDays(text: string): NonNullable<ReplicaOptions["lockDays"]> {
  const match = /^(?<packs>\d{1,5})(?::(?<metadata>\d{1,5}))?$/.exec(text);
  if (match === null) {
    throw new HoldfastError(ErrorCode.usage, `--lock-days: not a number of days: ${text}`, {
      next: "Write 30, or 30:7 for packs and the rest.",
    });
  }
  const packs = Number(match.groups?.packs);
  return { packs, metadata: match.groups?.metadata === undefined ? packs : Number(match.groups.metadata) };
}
