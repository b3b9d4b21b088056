// Power supplies as Linux shows them, in folders that the test makes; and NetworkManager, as stand-ins for the programs that ask it answer.

import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeEach, expect, test } from "vitest";
import { lineIsMetered, runsOnBattery } from "../../../agent/platform/powerAndLine.ts";

const scratch = mkdtempSync(join(tmpdir(), "holdfast-power-"));
const path = process.env.PATH;
let folder: string;
let made = 0;

beforeEach(() => {
  folder = join(scratch, `case-${made++}`);
  mkdirSync(folder);
});
afterEach(() => {
  process.env.PATH = path;
});
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

function supply(name: string, files: Readonly<Record<string, string>>): void {
  mkdirSync(join(folder, name));
  for (const [file, text] of Object.entries(files)) writeFileSync(join(folder, name, file), `${text}\n`);
}

test("a charger that is online is mains, whatever a battery says; without one a discharging battery counts", () => {
  expect(runsOnBattery(join(folder, "none"))).toBe(false);
  expect(runsOnBattery(folder)).toBe(false);
  supply("BAT0", { type: "Battery", status: "Discharging" });
  expect(runsOnBattery(folder)).toBe(true);
  supply("AC", { type: "Mains", online: "0" });
  expect(runsOnBattery(folder)).toBe(true);
  writeFileSync(join(folder, "AC", "online"), "1\n");
  expect(runsOnBattery(folder)).toBe(false);
  writeFileSync(join(folder, "AC", "online"), "0\n");
  supply("ucsi-source-psy-1", { type: "USB", online: "1" });
  expect(runsOnBattery(folder)).toBe(false);
});

test("a mouse's battery, and one that is full, are not the machine's", () => {
  supply("hidpp_battery_0", { type: "Battery", status: "Discharging", scope: "Device" });
  supply("BAT0", { type: "Battery", status: "Full", scope: "System" });
  supply("odd", {});
  expect(runsOnBattery(folder)).toBe(false);
});

/** A program that prints this, or fails. */
function program(name: string, text: string | undefined): void {
  const file = join(folder, name);
  writeFileSync(file, text === undefined ? "#!/bin/sh\nexit 1\n" : `#!/bin/sh\nprintf '${text}'\n`);
  chmodSync(file, 0o755);
  process.env.PATH = folder;
}

test("metered is what NetworkManager says or guesses; what nobody knows is not", async () => {
  const { signal } = new AbortController();
  process.env.PATH = folder;
  expect(await lineIsMetered(signal)).toBe(false);
  for (const [value, metered] of [
    ["u 0", false],
    ["u 1", true],
    ["u 2", false],
    ["u 3", true],
    ["u 4", false],
  ] as const) {
    program("busctl", `${value}\\n`);
    expect(await lineIsMetered(signal), value).toBe(metered);
  }
  program("busctl", undefined);
  expect(await lineIsMetered(signal)).toBe(false);
  program("nmcli", "GENERAL.METERED:no\\nGENERAL.METERED:unknown\\n");
  expect(await lineIsMetered(signal)).toBe(false);
  program("nmcli", "GENERAL.METERED:unknown\\n\\nGENERAL.METERED:yes (guessed)\\n");
  expect(await lineIsMetered(signal)).toBe(true);
});
