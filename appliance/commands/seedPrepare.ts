// holdfast seed prepare

import { userInfo } from "node:os";
import { resolve } from "node:path";
import type { PrepareAnswer } from "../../gateway/admin/seedOperations.ts";
import { settingsDefault } from "../../gateway/settings.ts";
import type { CommandContext } from "../cli/command.ts";
import { formatBytes, formatCount } from "../cli/units.ts";
import { assumedRates, durationText, estimateJson, estimateOf, estimateText, timeJson } from "../estimate.ts";
import { withAdmin } from "../gatewayAccess.ts";
import { newBoxKey } from "../newBoxKey.ts";
import { shellWord } from "../shellWord.ts";

export async function run(context: CommandContext): Promise<void> {
  const { args, output } = context;
  const directory = resolve(args.operand(0));
  const name = args.text("name");
  const request = {
    directory,
    accounts: args.texts("account"),
    devices: args.texts("device"),
    listen: args.text("listen") ?? settingsDefault.listen,
    urls: args.texts("url"),
    datacentreUrls: args.texts("datacentre-url"),
    by: args.text("by") ?? userInfo().username,
    ...(name === undefined ? {} : { name }),
  };
  await withAdmin(context, async ({ seed }) => {
    // First without a key: what is wrong is said before anybody thinks of a passphrase.
    const planned = await seed.prepare(request);
    show(context, planned, directory);
    if (args.flag("dry-run")) return dryRun(context, planned);
    const answer = await seed.prepare({ ...request, key: await newBoxKey(context) });
    const box = answer.box!;
    output.line(`Box ${box.number} is made in ${directory}. Its devices' agents now look for it at:`);
    for (const url of box.urls) output.line(`  ${url}  ${box.fingerprint}`);
    output.line(
      `Next, at the customer's site: holdfast gateway run --data ${shellWord(directory)} --passphrase-file FILE`,
    );
    output.event({
      event: "done",
      box: box.number,
      id: box.id,
      name: box.name,
      urls: box.urls,
      fingerprint: box.fingerprint,
      directory,
      ...jsonOf(answer),
    });
  });
}

/** Making a box copies rows and derives a key. */
const rowsPerSecond = 1000;
const makingSeconds = 2;

/** The size of the last snapshots is not all that a first backup sends, and not known of every device: it is said of what is known. */
function dryRun({ output }: CommandContext, planned: PrepareAnswer): void {
  const devices = planned.accounts.flatMap((account) => account.devices);
  const rows = devices.reduce((sum, { items }) => sum + 1 + items, 0);
  const seconds = makingSeconds + rows / rowsPerSecond;
  const known = devices.reduce((sum, { lastBytes }) => sum + (lastBytes ?? 0), 0);
  const backup = estimateOf(known, assumedRates.network);
  output.line(`Making the box copies rows and no content: ${durationText(seconds)} (assumed).`);
  if (known > 0) output.line(`A first backup of these ${formatBytes(known)}: ${estimateText(backup)}.`);
  output.event({
    ...{ event: "done", dry_run: true, ...jsonOf(planned), ...timeJson(seconds, "assumed") },
    backup: { bytes: known, ...estimateJson(backup) },
  });
}

function show({ output }: CommandContext, answer: PrepareAnswer, directory: string): void {
  let lastBytes = 0;
  let unknown = 0;
  for (const { name, devices, vaults, homesNow } of answer.accounts) {
    for (const home of homesNow) {
      output.note(`Devices of ${name} back up to ${home} now: they will be sent to this box instead.`);
    }
    output.line(
      `Account ${name}: ${formatCount(devices.length, "device")}, ${formatCount(vaults, "vault")}.`,
    );
    for (const device of devices) {
      const size = device.lastBytes === null ? "size not known" : formatBytes(device.lastBytes);
      output.line(`  ${device.name}: ${formatCount(device.items, "item")}, ${size}`);
      lastBytes += device.lastBytes ?? 0;
      if (device.lastBytes === null) unknown++;
    }
  }
  const free = answer.freeBytes === null ? "" : `; ${formatBytes(answer.freeBytes)} are free in ${directory}`;
  const more = unknown === 0 ? "" : `, and ${formatCount(unknown, "device")} of unknown size`;
  output.line(`The last snapshots hold ${formatBytes(lastBytes)} before deduplication${more}${free}.`);
  if (answer.datacentreUrls.length === 0) {
    output.note(
      "The box will not know where this gateway is: its manifest will have to be carried. --datacentre-url URL tells it.",
    );
  }
}

function jsonOf({ accounts, freeBytes, datacentreUrls }: PrepareAnswer): Record<string, unknown> {
  return {
    accounts: accounts.map(({ name, devices, vaults, homesNow }) => ({
      name,
      vaults,
      homes_now: homesNow,
      devices: devices.map(({ name, items, lastBytes }) => ({ name, items, last_bytes: lastBytes })),
    })),
    free_bytes: freeBytes,
    datacentre_urls: datacentreUrls,
  };
}
