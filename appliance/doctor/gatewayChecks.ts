// A gateway's data directory, if there is one.

import { existsSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { AdminClient } from "../../gateway/admin/adminClient.ts";
import { readDataDir } from "../../gateway/dataDir.ts";
import { parseListen } from "../../gateway/listenAddress.ts";
import { readBoxDocument } from "../../gateway/seed/boxDirectory.ts";
import { settingsDefault } from "../../gateway/settings.ts";
import { HoldfastError } from "../../vault/errors.ts";
import { checkPrivate, checkRoom, roomBytesMin } from "./diskChecks.ts";
import { type Finding, good, note, problem } from "./finding.ts";

/** The directory, its room and its port; without a directory, room and port that one would use. */
export async function checkGateway(data: string): Promise<Finding[]> {
  const room = checkRoom("the gateway's data", data, roomBytesMin.gateway);
  if (!existsSync(join(data, "gateway.json"))) {
    return [room, await checkPort(settingsDefault.listen, "for a gateway")];
  }
  const findings = [room, checkPrivate("gateway's data directory", data)];
  try {
    const running = await new AdminClient(data).isRunning();
    const box = await readBoxDocument(data);
    if (box !== undefined) {
      findings.push(
        good("box", `box ${box.box} of ${box.datacentre.name}, ${running ? "running" : "closed"}`),
      );
      return findings;
    }
    const { settings } = await readDataDir(data);
    if (running) findings.push(good("gateway", `runs on ${settings.listen}`));
    else findings.push(await checkPort(settings.listen, `of the gateway in ${data}`));
  } catch (error) {
    if (!(error instanceof HoldfastError)) throw error;
    findings.push(problem("gateway", error.message, error.next ?? "See docs/errors.md."));
  }
  return findings;
}

async function checkPort(listen: string, what: string): Promise<Finding> {
  const { host, port } = parseListen(listen);
  const server = createServer();
  const code = await new Promise<string | undefined>((resolve) => {
    server.once("error", (error: NodeJS.ErrnoException) => resolve(error.code ?? "failed"));
    server.listen(port, host, () => resolve(undefined));
  });
  if (code === undefined) {
    await new Promise<void>((resolve) => server.close(() => resolve()));
    return good("port", `${listen} ${what} is free`);
  }
  const why = code === "EADDRINUSE" ? "is used by another program" : `cannot be listened on (${code})`;
  return note(
    "port",
    `${listen} ${what} ${why}`,
    "Stop that program, or set another `listen` in config.toml.",
  );
}
