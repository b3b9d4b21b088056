// Servers whose key is not pinned, asked by a process that was started as the program is: a known authority must vouch for them.

import { execFile } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:https";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { promisify } from "node:util";
import { expect, onTestFinished, test } from "vitest";
import { programFlags } from "../../appliance/nodeFlags.ts";
import { openRelay } from "../gateway/alerts/loopback.ts";
import { Authority } from "./authority.ts";
import { scratchFolder } from "./program.ts";

test("S3, mail, webhooks and gateways: taken where NODE_EXTRA_CA_CERTS names their authority, refused elsewhere", async () => {
  const folder = scratchFolder();
  const authority = await Authority.create(folder);
  const files = await authority.sign("server", ["localhost"]);
  const [certificate, key] = [files.certificate, files.key].map((file) => readFileSync(file, "utf8"));
  const tls = { certificate: certificate as string, key: key as string };
  const web = createServer({ cert: tls.certificate, key: tls.key }, (request, response) => {
    request.resume().once("end", () => response.end("{}"));
  });
  await new Promise<void>((resolve) => web.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => {
    web.closeAllConnections();
    web.close();
  });
  const relay = await openRelay(onTestFinished, tls, "", { secure: true, authOptional: true });
  const secret = join(folder, "secret");
  writeFileSync(secret, "secret\n", { mode: 0o600 });
  const asked = async (extra: Readonly<Record<string, string>>): Promise<Record<string, string>> => {
    const { port } = web.address() as AddressInfo;
    const program = join(import.meta.dirname, "trusting.ts");
    const words = [...programFlags, program, String(port), String(relay.port), secret];
    const env = { PATH: process.env.PATH, ...extra };
    const { stdout } = await promisify(execFile)(process.execPath, words, { env });
    return JSON.parse(stdout) as Record<string, string>;
  };
  expect(await asked({ NODE_EXTRA_CA_CERTS: authority.file })).toEqual({
    ...{ s3: "200", mail: "0", webhook: "sent", gateway: "true", probe: "true" },
  });
  expect(relay.mails).toHaveLength(1);
  const refused = expect.stringMatching(/certificate|verify/i);
  const allRefused = { s3: refused, mail: refused, webhook: refused, gateway: refused, probe: "false" };
  expect(await asked({})).toEqual(allRefused);
  // Nor the system's: a place that forgot to name the known ones would ask those.
  expect(await asked({ SSL_CERT_FILE: authority.file })).toEqual(allRefused);
  expect(relay.mails).toHaveLength(1);
});
