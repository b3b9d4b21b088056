// Does one thing of a box and dies by SIGKILL just before, or just behind, its n-th rename or directory that is made: ARGV is the action, the
// data directory, its argument, n, and "before" or "behind". Every file of a box gets its name by a rename.

import fs from "node:fs/promises";
import { syncBuiltinESMExports } from "node:module";
import pino from "pino";

const [action = "", data = "", argument = "", at = "0", when = "before"] = process.argv.slice(2);
let left = Number(at);
const dying =
  <Given extends unknown[], Result>(work: (...given: Given) => Promise<Result>) =>
  async (...given: Given): Promise<Result> => {
    left--;
    if (left === 0 && when === "before") process.kill(process.pid, "SIGKILL");
    const result = await work(...given);
    if (left === 0) process.kill(process.pid, "SIGKILL");
    return result;
  };
Object.assign(fs, { rename: dying(fs.rename) });
syncBuiltinESMExports();

// Not before: they take the functions above.
const { Administration } = await import("../../../gateway/administration.ts");
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
process.stdout.write("open\n");
if (action === "prepare") await seed.prepare(prepareRequest(argument, ["acme"]));
if (action === "seal") await seed.seal({ by: "tester", dryRun: false }, unwatched);
if (action === "promise") await seed.promise(argument, unwatched);
if (action === "import") await imports.run({ sources: [argument], finish: false, dryRun: false }, unwatched);
await gateway.close();
process.exit(0);
