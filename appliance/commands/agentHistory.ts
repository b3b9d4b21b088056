// holdfast agent history

import { namesOf } from "../../agent/inspect/snapshotPath.ts";
import { AccountCatalog, FixedKeyring } from "../../agent/session/accountCatalog.ts";
import { versionsOf } from "../../fs/view/history.ts";
import { ItemSnapshots } from "../../fs/view/itemSnapshots.ts";
import { createCaches } from "../../fs/view/recordOpener.ts";
import { ErrorCode, HoldfastError, isHoldfastError } from "../../vault/errors.ts";
import type { CommandContext } from "../cli/command.ts";
import { historyInfo, historyLine } from "../historyLine.ts";
import { type SnapshotReader, withSnapshots } from "../openedSnapshots.ts";

export function run(given: CommandContext): Promise<void> {
  return withSnapshots(given, async (reader) => {
    const { args, output, signal } = reader.context;
    const names = namesOf(Buffer.from(args.operand(0)));
    const { enrollment } = reader.connection;
    const account = enrollment.account.name;
    const device = args.text("device") ?? enrollment.device.name;
    const snapshots = new ItemSnapshots({
      source: reader.source,
      catalog: new AccountCatalog(reader.connection),
      keyring: new FixedKeyring(await reader.connection.allKeys()),
      caches: createCaches(),
    });
    const items = await itemsOf(reader, device);
    let missing: HoldfastError | undefined;
    let found = false;
    for (const item of items) {
      try {
        const all = await snapshots.of({ account, device, item });
        for await (const version of versionsOf(all, names, signal)) {
          found = true;
          if (version.reason !== undefined)
            output.warn(version.reason.message, `snapshot ${version.snapshot}`);
          const line = historyLine(version);
          await output.result(items.length === 1 ? line : `${item}: ${line}`, {
            item,
            ...historyInfo(version),
          });
        }
      } catch (error) {
        if (!isHoldfastError(error, ErrorCode.notFound)) throw error;
        missing = error;
      }
    }
    if (!found) throw missing ?? nothingYet(device);
  });
}

/** --item, or all items of the device. */
async function itemsOf({ context, connection }: SnapshotReader, device: string): Promise<string[]> {
  const item = context.args.text("item");
  if (item !== undefined) return [item];
  return [...new Set((await connection.client.items({ device })).map(({ name }) => name))];
}

function nothingYet(device: string): HoldfastError {
  return new HoldfastError(ErrorCode.notFound, `device ${device} has no snapshots`, {
    next: "Back up first: holdfast agent backup PATH",
  });
}
