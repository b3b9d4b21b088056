// holdfast gateway init

import { rmSync } from "node:fs";
import { hostname, networkInterfaces } from "node:os";
import { resolve } from "node:path";
import { initDataDir } from "../../gateway/dataDir.ts";
import type { CommandContext } from "../cli/command.ts";
import { dataOf } from "../gatewayAccess.ts";
import { deliverRecoveryKey, openRecoveryKeyFile } from "../recoveryKeyOutput.ts";
import { startEnabled } from "../service/startEnabled.ts";

/** The addresses by which other machines may reach this one. */
function ownAddresses(): string[] {
  return Object.values(networkInterfaces())
    .flatMap((addresses) => addresses ?? [])
    .filter(({ internal, address }) => !internal && !address.startsWith("fe80:"))
    .map(({ address }) => address);
}

export async function run(context: CommandContext): Promise<void> {
  const { args, output } = context;
  const data = dataOf(context);
  const [listen, name] = [args.text("listen"), args.text("name") ?? hostname()];
  const [certificate, key] = [args.text("tls-cert"), args.text("tls-key")];
  const place = openRecoveryKeyFile(args.text("recovery-key-file"));
  try {
    const made = await initDataDir(data, {
      settings: {
        name,
        ...(listen === undefined ? {} : { listen }),
        ...(certificate === undefined ? {} : { tlsCertificate: resolve(certificate) }),
        ...(key === undefined ? {} : { tlsKey: resolve(key) }),
      },
      names: [hostname(), ...ownAddresses(), ...args.texts("hostname")],
      now: new Date(),
    });
    output.line(`Gateway ${name} created in ${data}`);
    output.line(`Fingerprint, for agents: ${made.fingerprint}`);
    deliverRecoveryKey(place, made.recoveryKey, "the gateway", output);
    if (!(await startEnabled("gateway", data, output)))
      output.line(`Next: holdfast gateway run --data ${data}`);
    output.event({ event: "done", data, id: made.id, fingerprint: made.fingerprint });
  } catch (error) {
    if (place !== undefined) rmSync(place.file, { force: true });
    throw error;
  }
}
