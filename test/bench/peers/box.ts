// Boxes of the benchmark: made by the datacentre's command line, served by a gateway of their own.

import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { BenchFailure } from "../failure.ts";
import { type Measurement, measure, type Service, startService, untilReady } from "../measure/programs.ts";
import { program } from "./holdfast.ts";
import type { HoldfastRepository } from "./peer.ts";
import { accepts, freePort } from "./ports.ts";

export type Box = {
  readonly data: string;
  readonly passphrase: string;
  readonly start: () => Promise<void>;
  readonly stop: () => Promise<void>;
  /** Seals it without a line, and gives its manifest to the datacentre. */
  readonly seal: () => Promise<{ readonly step: Measurement; readonly chunks: number }>;
};

/** Makes a box for the account of a datacentre's gateway, in `dir`. */
export async function prepareBox(datacentre: HoldfastRepository, account: string, dir: string): Promise<Box> {
  const data = join(dir, "box");
  const passphrase = join(dir, "passphrase");
  writeFileSync(passphrase, "a box on its way\n", { mode: 0o600 });
  const port = await freePort();
  const listen = `127.0.0.1:${port}`;
  await datacentre.admin(
    ...["seed", "prepare", data, "--account", account, "--listen", listen, "--url", `https://${listen}`],
    ...["--passphrase-file", passphrase],
  );
  const run = program("box", dir, "gateway", "run", "--data", data, "--passphrase-file", passphrase);
  let service: Service | undefined;
  return {
    data,
    passphrase,
    start: async () => {
      service = startService(run);
      await untilReady(run, service, () => accepts(port));
    },
    stop: async () => {
      await service?.stop();
      service = undefined;
    },
    seal: async () => {
      const file = join(dir, "manifest");
      const step = await measure(
        program(
          "box",
          dir,
          ...["seed", "seal", "--data", data, "--passphrase-file", passphrase],
          ...["--offline", "--manifest-out", file, "--json"],
        ),
      );
      await datacentre.admin("seed", "promise", file);
      const { chunks } = JSON.parse(step.stdout.trim().split("\n").at(-1) ?? "{}") as { chunks?: number };
      if (chunks === undefined) throw new BenchFailure("seed seal --json told no number of chunks");
      return { step, chunks };
    },
  };
}
