import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { formatRecoveryKey, parseRecoveryKey } from "../../../vault/keys/recoveryKey.ts";
import { bytesOf, outcome } from "../sampleVault.ts";

const key = bytesOf("recovery", 32);
const text = formatRecoveryKey("account", key);

test("looks as documented", () => {
  expect(text).toMatch(/^HFA(-[0-9A-HJKMNP-TV-Z]{8}){7}$/);
  expect(formatRecoveryKey("gateway", key)).toBe(text.replace("HFA", "HFG"));
  expect(formatRecoveryKey("account", Buffer.alloc(32)).startsWith("HFA-00000000-00000000-")).toBe(true);
});

test("any key survives however it is typed", () => {
  const kinds = fc.constantFrom("account" as const, "gateway" as const);
  fc.assert(
    fc.property(kinds, fc.uint8Array({ minLength: 32, maxLength: 32 }), fc.nat(), (kind, bytes, seed) => {
      const printed = formatRecoveryKey(kind, bytes);
      const sloppy = [...printed]
        .map((character, i) => {
          const choice = (seed >>> (i % 24)) & 3;
          if (character === "-") return ["-", " ", "", "\n"][choice]!;
          if (character === "0") return ["0", "o", "O", "0"][choice]!;
          if (character === "1") return ["1", "l", "I", "i"][choice]!;
          return choice === 0 ? character.toLowerCase() : character;
        })
        .join("");
      expect(parseRecoveryKey(kind, printed).equals(bytes)).toBe(true);
      expect(parseRecoveryKey(kind, sloppy).equals(bytes)).toBe(true);
    }),
  );
});

describe("refuses, and says what is off:", () => {
  test.each([
    ["the other kind", text.replace("HFA", "HFG"), /a gateway's recovery key \(HFG\)/],
    ["no prefix", text.slice(4), /does not begin with HFA/],
    ["too short", text.slice(0, -1), /has 55 characters/],
    ["too long", `${text}0`, /has 57 characters/],
    ["a character that is never used", text.slice(0, -1).concat("U"), /character 56 .* never part/],
    ["nothing", "", /does not begin/],
    ["a novel", "x".repeat(100_000), /far too long/],
  ])("%s", (_, typed, message) => {
    expect(() => parseRecoveryKey("account", typed)).toThrow(message);
    expect(outcome(() => parseRecoveryKey("account", typed))).toBe("key-wrong");
  });

  test("every single wrong character and every swap of neighbours", () => {
    const alphabet = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
    let missed = 0;
    for (let at = 4; at < text.length; at++) {
      if (text[at] === "-") continue;
      const next = alphabet[(alphabet.indexOf(text[at]!) + 1) % 32]!;
      const typo = text.slice(0, at) + next + text.slice(at + 1);
      const swap = text.slice(0, at) + (text[at + 1] ?? "") + text[at] + text.slice(at + 2);
      if (outcome(() => parseRecoveryKey("account", typo)) === "ok") missed++;
      const swapped = outcome(() => parseRecoveryKey("account", swap));
      if (swapped === "ok" && parseRecoveryKey("account", swap).compare(key) !== 0) missed++;
    }
    expect(missed).toBe(0);
  });

  test("any text, in a typed way", () => {
    fc.assert(
      fc.property(fc.string(), (typed) => void outcome(() => parseRecoveryKey("account", `HFA${typed}`))),
    );
    fc.assert(
      fc.property(
        fc.string({ unit: "binary" }),
        (typed) => void outcome(() => parseRecoveryKey("account", typed)),
      ),
    );
  });
});
