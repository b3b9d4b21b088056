// Brings a quickstart directory to where a backup can run: gateway, account, enrolled agent. Every step looks first at what is
// there, so a run that was stopped anywhere goes on from there.

import { randomInt } from "node:crypto";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { hostname, userInfo } from "node:os";
import { join } from "node:path";
import { enroll } from "../../agent/enroll/enroll.ts";
import { findEnrollment, writeEnrollment } from "../../agent/state/enrollment.ts";
import { AdminClient } from "../../gateway/admin/adminClient.ts";
import { initDataDir } from "../../gateway/dataDir.ts";
import { parseListen } from "../../gateway/listenAddress.ts";
import { readSettings } from "../../gateway/settings.ts";
import { formatSettings } from "../../gateway/settingsText.ts";
import { namePattern } from "../../ingest/wire/names.ts";
import { ErrorCode, HoldfastError } from "../../vault/errors.ts";
import { limits } from "../../vault/limits.ts";
import { makeAccount } from "../account/ownerKeys.ts";
import type { Output } from "../cli/output/output.ts";
import { readSecretFile } from "../cli/password.ts";
import { freePort, isPortFree, startGatewayChild } from "./gatewayChild.ts";
import type { Layout } from "./layout.ts";

const fallbackName = "me";
const passwordLetters = "abcdefghijkmnpqrstuvwxyz23456789"; // none that look alike
const passwordGroups = 6;
const groupLetters = 5;

/** A name that Holdfast takes, made from one of this system's. */
function allowedName(name: string): string {
  return new RegExp(namePattern, "u").test(name) ? name : fallbackName;
}

function randomPassword(): string {
  const letter = (): string => passwordLetters[randomInt(passwordLetters.length)] as string;
  const group = (): string => Array.from({ length: groupLetters }, letter).join("");
  return Array.from({ length: passwordGroups }, group).join("-");
}

function writeSecret(path: string, text: string): void {
  writeFileSync(path, `${text}\n`, { mode: 0o600, flag: "wx" });
}

/** The gateway's data directory, made on a free port of the loopback interface. */
async function prepareGateway(layout: Layout, output: Output): Promise<void> {
  if (existsSync(join(layout.gateway, "gateway.json"))) return movePort(layout);
  const port = await freePort();
  const { recoveryKey } = await initDataDir(layout.gateway, {
    settings: { name: "quickstart", listen: `127.0.0.1:${port}`, logLevel: "warn" },
    now: new Date(),
  });
  writeFileSync(layout.gatewayRecoveryKey, `${recoveryKey}\n`, { mode: 0o600 });
  output.note(`Made a gateway that only this machine can reach, on port ${port}.`);
}

/** Another program may have taken the port since: then the gateway moves, and the agent with it. */
async function movePort(layout: Layout): Promise<void> {
  const file = join(layout.gateway, "config.toml");
  const settings = await readSettings(file);
  if (await isPortFree(parseListen(settings.listen).port)) return;
  const listen = `127.0.0.1:${await freePort()}`;
  writeFileSync(file, formatSettings({ ...settings, listen }));
}

async function prepareAccount(client: AdminClient, layout: Layout, output: Output): Promise<string> {
  const [known] = await client.accounts();
  if (known !== undefined) return known.name;
  const name = allowedName(userInfo().username);
  if (!existsSync(layout.password)) writeSecret(layout.password, randomPassword());
  const { request, recoveryKey } = await makeAccount({
    name,
    password: readSecretFile(layout.password, "password"),
    iterations: limits.kdfIterationsDefault,
    now: new Date(),
  });
  // Written first: an account whose recovery key was lost on the way would be worse than a key without account.
  writeFileSync(layout.accountRecoveryKey, `${recoveryKey}\n`, { mode: 0o600 });
  await client.addAccount(request);
  output.note(`Made account ${name} with a random password.`);
  return name;
}

async function prepareAgent(
  client: AdminClient,
  account: string,
  layout: Layout,
  output: Output,
): Promise<void> {
  const { url, fingerprint } = await client.status();
  if (url === null) throw new HoldfastError(ErrorCode.gatewayUnreachable, "the gateway does not listen");
  const known = findEnrollment(layout.agent);
  if (known !== undefined) {
    if (known.gateway.url !== url)
      writeEnrollment(layout.agent, { ...known, gateway: { ...known.gateway, url } });
    return;
  }
  const deviceName = allowedName(hostname());
  // A run that was killed between enrolling and writing it down leaves a device that nobody has the key of.
  const left = (await client.devices(account)).find(
    (device) => device.name === deviceName && !device.revoked,
  );
  if (left !== undefined) await client.revokeDevice(account, left.id);
  await enroll({
    url,
    fingerprint,
    account,
    password: readSecretFile(layout.password, "password"),
    deviceName,
    isolated: false,
    appendOnly: false,
    state: layout.agent,
    replace: false,
    now: new Date(),
  });
  output.note(`Enrolled this machine as device ${deviceName}.`);
}

/** Everything up to the first backup. @throws HoldfastError */
export async function prepare(layout: Layout, output: Output, signal: AbortSignal): Promise<AdminClient> {
  // One that a killed run left behind keeps its port.
  if (!(await new AdminClient(layout.gateway).isRunning())) await prepareGateway(layout, output);
  const client = await startGatewayChild(layout.gateway, layout.log, signal);
  const account = await prepareAccount(client, layout, output);
  await prepareAgent(client, account, layout, output);
  return client;
}

/** The path of the last run, undefined for the first. */
export function rememberedPath(layout: Layout): string | undefined {
  if (!existsSync(layout.memory)) return undefined;
  const { path } = JSON.parse(readFileSync(layout.memory, "utf8")) as { path?: unknown };
  return typeof path === "string" ? path : undefined;
}

export function rememberPath(layout: Layout, path: string): void {
  writeFileSync(layout.memory, `${JSON.stringify({ path })}\n`);
}
