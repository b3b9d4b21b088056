// Whether this machine runs on its battery, and whether its line is paid by volume, as far as the system says. Looked at before a backup that is to wait
// for better times; what is not known is taken for "no".

import { execFile } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

/** Linux's folder of power supplies (Documentation/ABI/testing/sysfs-class-power). */
export const powerSupplies = "/sys/class/power_supply";

/** A desktop's bus may be slow to answer; a program that hangs is not waited for. */
const askMs = 5000;

/** A machine runs on its battery when no charger is online and a battery of the machine itself, not of its mouse, is discharging. */
export function runsOnBattery(folder = powerSupplies): boolean {
  let names: string[];
  try {
    names = readdirSync(folder);
  } catch {
    return false;
  }
  const supplies = names.map((name) => {
    const read = (file: string): string => readText(join(folder, name, file));
    return { type: read("type"), online: read("online"), status: read("status"), scope: read("scope") };
  });
  if (supplies.some(({ type, online, scope }) => type !== "Battery" && online === "1" && scope !== "Device"))
    return false;
  return supplies.some(
    ({ type, status, scope }) => type === "Battery" && status === "Discharging" && scope !== "Device",
  );
}

function readText(path: string): string {
  try {
    return readFileSync(path, "utf8").trim();
  } catch {
    return "";
  }
}

/** NMMetered of NetworkManager: 1 yes, 3 guessed yes; 0 unknown, 2 no, 4 guessed no. */
const meteredValues = ["1", "3"];
const manager = "org.freedesktop.NetworkManager";

/** Asks NetworkManager over the system bus, by what is installed: busctl, else nmcli. Neither, or no NetworkManager: not metered. */
export async function lineIsMetered(signal: AbortSignal): Promise<boolean> {
  const property = await output(
    ["busctl", "--system", "get-property", manager, "/org/freedesktop/NetworkManager", manager, "Metered"],
    signal,
  );
  // "u 4"
  const value = /^u (\d+)\s*$/.exec(property ?? "")?.[1];
  if (value !== undefined) return meteredValues.includes(value);
  // Of each device, "yes (guessed)" and the like. The one that goes to the gateway is not known: one metered line is enough.
  const devices = await output(["nmcli", "-t", "-f", "GENERAL.METERED", "device", "show"], signal);
  return (devices ?? "").split("\n").some((line) => /^GENERAL\.METERED:yes/.test(line));
}

/** What a program prints; undefined where it is not there, fails or hangs. */
function output(
  [program = "", ...words]: readonly string[],
  signal: AbortSignal,
): Promise<string | undefined> {
  const { promise, resolve } = Promise.withResolvers<string | undefined>();
  execFile(program, words, { timeout: askMs, signal, maxBuffer: 64 * 1024 }, (error, stdout) =>
    resolve(error === null ? stdout : undefined),
  );
  return promise;
}
