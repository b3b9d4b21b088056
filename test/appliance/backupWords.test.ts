import { expect, test } from "vitest";
import { backupWords } from "../../appliance/backupChild.ts";
import type { Arguments } from "../../appliance/cli/arguments.ts";
import { commandsFor } from "../../appliance/cli/commandTable.ts";
import { parseCommandLine } from "../../appliance/cli/parse.ts";
import { changedDefinition } from "../../appliance/itemChanges.ts";
import {
  emptyDefinition,
  type ItemDefinition,
  parseDefinition,
} from "../../ingest/schedule/itemDefinition.ts";

const commandTable = await commandsFor([]);

function argsOf(...words: string[]): Arguments {
  const parsed = parseCommandLine(words, commandTable);
  if (parsed.kind !== "command") throw new Error("not a command");
  return parsed.args;
}

function edited(from: ItemDefinition, ...words: string[]): ItemDefinition {
  return changedDefinition(from, argsOf("item", "edit", "a/d/i", ...words), true);
}

const words = (definition: ItemDefinition, ...own: string[]): string[] =>
  backupWords("/state", { id: "00", name: "home", revision: 1, definition }, own);

test("a limit of an item is a rate, or a table with the definition's time zone", () => {
  const plain = edited(emptyDefinition(["/home"]), "--limit-upload", "2MB");
  expect(plain).toMatchObject({ limitUploadBytesPerSecond: 2e6, limitUploadTable: null });
  expect(words(plain)).toContain("--limit-upload=2000000");

  const text = "weekdays from 08:00 to 18:00 2MB, 20MB";
  const table = edited(plain, "--limit-upload", text, "--time-zone", "Europe/Vienna");
  // What an older agent obeys.
  expect(table).toMatchObject({ limitUploadBytesPerSecond: 2e6, limitUploadTable: text });
  const line = words(table, "--proxy=http://proxy:3128");
  const { args } = parseCommandLine(line, commandTable) as { args: Arguments };
  expect(args.rates("limit-upload")).toBe(text);
  expect(args.text("time-zone")).toBe("Europe/Vienna");
  expect(args.text("proxy")).toBe("http://proxy:3128");
  expect(args.operands).toEqual(["/home"]);

  const back = edited(table, "--no-limit-upload");
  expect(back).toMatchObject({ limitUploadBytesPerSecond: null, limitUploadTable: null });
  expect(words(back).join(" ")).not.toMatch(/limit|zone/);
});

test("a priority of an item is handed on, and left to the machine where there is none", () => {
  const low = edited(emptyDefinition(["/home"]), "--priority", "low");
  expect(words(low)).toContain("--priority=low");
  expect(words(edited(low, "--no-priority")).join(" ")).not.toContain("priority");
});

test("a definition that was written before there were tables is read", () => {
  const { limitUploadTable: _table, priority: _priority, ...before } = emptyDefinition(["/home"]);
  expect(parseDefinition({ ...before, limitUploadBytesPerSecond: 1 })).toEqual({
    ...emptyDefinition(["/home"]),
    limitUploadBytesPerSecond: 1,
  });
  // So slow a rate as no table can have is obeyed by the slowest.
  expect(words({ ...emptyDefinition(["/home"]), limitUploadBytesPerSecond: 1 })).toContain(
    "--limit-upload=1024",
  );
});
