// Does one thing of a box, and dies by SIGKILL just before, or just behind, its n-th rename: ARGV is the action, the data directory, its
// argument, n (0: it does not die), and "before" or "behind". Every file of a box gets its name by a rename. "pull": it goes on, and the box's
// directory, which is its argument, is gone (renamed to ARGUMENT-pulled) when its n-th pack is opened. It prints a line when it is open, and
// its report when it is done; "serve" prints its address instead, and goes on until it is ended.

import callbacks, { renameSync } from "node:fs";
import fs from "node:fs/promises";
import { syncBuiltinESMExports } from "node:module";
import { join } from "node:path";
import pino from "pino";

const [action = "", data = "", argument = "", at = "0", when = "before"] = process.argv.slice(2);
let left = Number(at);
const dying =
  <Given extends unknown[], Result>(work: (...given: Given) => Promise<Result>) =>
  async (...given: Given): Promise<Result> => {
    if (when !== "pull") left--;
    if (left === 0 && when === "before") process.kill(process.pid, "SIGKILL");
    const result = await work(...given);
    if (left === 0 && when === "behind") process.kill(process.pid, "SIGKILL");
    return result;
  };
const open = callbacks.open as (...given: readonly unknown[]) => void;
const pulling = (path: unknown, ...given: readonly unknown[]): void => {
  if (when === "pull" && String(path).startsWith(join(argument, "vaults")) && --left === 0)
    renameSync(argument, `${argument}-pulled`);
  open(path, ...given);
};
Object.assign(fs, { rename: dying(fs.rename) });
Object.assign(callbacks, { open: pulling });
syncBuiltinESMExports();

// Not before: they take the functions above.
const { Administration } = await import("../../../gateway/administration.ts");
const { listen } = await import("../../../gateway/api/server.ts");
const { Gateway } = await import("../../../gateway/gateway.ts");
const { prepareRequest, unwatched } = await import("./boxFixture.ts");
const boxKey =
  process.env.BOX_KEY === undefined ? {} : { boxKey: Buffer.from(process.env.BOX_KEY, "base64") };
const gateway = await Gateway.open(data, {
  logger: pino({ level: "silent" }),
  now: () => new Date(),
  version: "0.0.0-test",
  packBytesTarget: 100_000,
  ...boxKey,
});
const { seed, imports } = new Administration(gateway);

async function act(): Promise<unknown> {
  switch (action) {
    case "prepare":
      return await seed.prepare(prepareRequest(argument, ["acme"]));
    case "seal":
      return await seed.seal({ by: "tester", dryRun: false }, unwatched);
    case "send":
      return await seed.send(unwatched);
    case "promise":
      return await seed.promise(argument, unwatched);
    case "import":
      return await imports.run({ sources: [argument], box: 1, finish: false, dryRun: false }, unwatched);
    default:
      throw new Error(`no such action: ${action}`);
  }
}

if (action === "serve") process.stdout.write(`${(await listen(gateway)).url}\n`);
else {
  process.stdout.write("open\n");
  const report = await act();
  await gateway.close();
  process.stdout.write(`${JSON.stringify(report)}\n`);
  process.exit(0);
}
