// config.toml of gateway and agent with anything in them: the usage error that names the file, or settings of the right types.

import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, expect, test } from "vitest";
import { readAgentSettings } from "../../appliance/agentSettings.ts";
import { agentCommands } from "../../appliance/cli/agentCommands.ts";
import { parseListen } from "../../gateway/listenAddress.ts";
import { parseSettings, settingsDefault } from "../../gateway/settings.ts";
import { formatSettings } from "../../gateway/settingsText.ts";
import { HoldfastError } from "../../vault/errors.ts";
import { damagedBytes } from "../vault/damagedText.ts";

const folder = mkdtempSync(join(tmpdir(), "holdfast-settings-fuzz-"));
afterAll(() => rmSync(folder, { recursive: true }));
const file = join(folder, "config.toml");

/** Lines that are TOML, of keys and values that are seldom right. */
const value = fc.oneof(
  fc.constantFrom("true", "-1", "5", "1e300", "inf", "nan", "0x7fffffffffffffff", '"5MiB"', '""', "[]", "{}"),
  fc.constantFrom("[[1]]", '["a"]', "2026-11-25", "07:32:00", '"127.0.0.1:0"', '"info"', "9".repeat(30)),
  fc.json(),
);
const key = fc.constantFrom(
  ...[
    "name",
    "listen",
    "log-level",
    "reserve-mib",
    "webdav-hide-links",
    "tls-cert",
    "tls-key",
    "exclude",
    "item",
    "limit-upload",
  ],
  ...["rescan", "overwrite", "__proto__", "constructor", "a.b", '"__proto__".x'],
);
const head = fc.constantFrom(
  "[backup]",
  "[restore]",
  "[mount]",
  "[[backup]]",
  "[check]",
  "[__proto__]",
  "[a.b]",
);
const line = fc.oneof(
  head,
  fc.tuple(key, value).map(([name, text]) => `${name} = ${text}`),
);
const lines = fc.array(line, { maxLength: 6 }).map((all) => all.join("\n"));
const deep = `name = ${"[".repeat(100_000)}`;

function expectUsage(error: unknown): void {
  if (!(error instanceof HoldfastError)) throw error;
  expect(error.code).toBe("usage");
}

test("fuzz: the gateway's", () => {
  const read = (text: string): void => {
    try {
      const settings = parseSettings(text);
      for (const [name, example] of Object.entries(settingsDefault))
        expect(typeof settings[name as keyof typeof settings], name).toBe(typeof example);
      expect(Object.keys(settings)).toEqual(Object.keys(settingsDefault));
      parseListen(settings.listen);
    } catch (error) {
      expectUsage(error);
    }
  };
  const damaged = damagedBytes(formatSettings(settingsDefault)).map((bytes) => bytes.toString());
  fc.assert(fc.property(fc.oneof(lines, damaged), read), { numRuns: 1500 });
  read(deep);
  expect(() => parseSettings(deep)).toThrow(HoldfastError);
});

test("fuzz: the agent's", async () => {
  const read = async (text: string | Buffer): Promise<void> => {
    writeFileSync(file, text);
    try {
      for (const values of (await readAgentSettings(file, agentCommands)).values()) {
        for (const each of values.values()) {
          const texts = Array.isArray(each) ? each : [];
          expect(["string", "number", "boolean", "object"]).toContain(typeof each);
          for (const one of texts) expect(one).toBeTypeOf("string");
        }
      }
    } catch (error) {
      expectUsage(error);
      expect((error as HoldfastError).message).toContain(file);
    }
  };
  const good =
    '[backup]\nexclude = ["*.o"]\nlimit-upload = "5MiB"\nrescan = true\n[restore]\noverwrite = "never"\n';
  await fc.assert(
    fc.asyncProperty(fc.oneof<fc.Arbitrary<string | Buffer>[]>(lines, damagedBytes(good)), read),
    {
      numRuns: 1000,
    },
  );
  await read(deep);
});
