import { expect, test } from "vitest";
import { parseBasic } from "../../gateway/api/basicAuth.ts";

function header(text: string, encoding: BufferEncoding = "utf8"): string {
  return `Basic ${Buffer.from(text, encoding).toString("base64")}`;
}

test("the name ends at the first colon; encodings and domains that clients use are understood", () => {
  expect(parseBasic(header("anna:a:b:"))).toEqual({ account: "anna", password: "a:b:" });
  expect(parseBasic(header("andré:pässword"))).toEqual({ account: "andré", password: "pässword" });
  expect(parseBasic(header("andré:pässword", "latin1"))).toEqual({ account: "andré", password: "pässword" });
  expect(parseBasic(header("CORP\\anna:x\\y"))).toEqual({ account: "anna", password: "x\\y" });
  expect(parseBasic(header(":"))).toEqual({ account: "", password: "" });
  expect(parseBasic(header("anna:x").replace("Basic", "bAsIc "))).toEqual({ account: "anna", password: "x" });
});

test("what is no login is refused, whatever it is", () => {
  const wrong = [
    undefined,
    "",
    "Basic",
    "Basic ",
    "Bearer hfl_x",
    header("no colon"),
    "Basic a:b",
    "Basic YQ==x",
  ];
  wrong.push(header(`${"x".repeat(4000)}:y`), `Basic ${"\u00e9".repeat(10)}`);
  for (const each of wrong) expect(() => parseBasic(each), String(each)).toThrow(/app password/);
});
