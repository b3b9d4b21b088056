import { expect, test } from "vitest";
import { makeAppPassword, readAppPassword } from "../../gateway/auth/appPasswordText.ts";

test("the text: seven groups of Crockford's base32 that forgive how people copy, and catch slips", () => {
  const { id, text } = makeAppPassword();
  expect(text).toMatch(/^hfp(?:-[0-9a-hjkmnp-tv-z]{5}){7}$/);
  expect(text.split("-")[1]).toBe(id);
  const body = readAppPassword(text);
  expect(body).toHaveLength(35);
  const sloppy = [text.toUpperCase(), text.replaceAll("-", ""), ` ${text.replaceAll("-", " ")}\n`];
  sloppy.push(`hfp${text.slice(3).replaceAll("0", "O").replaceAll("1", "l")}`);
  for (const written of sloppy) expect(readAppPassword(written)).toBe(body);
  for (let at = 4; at < text.length; at++) {
    if (text[at] === "-") continue;
    const other = text[at] === "7" ? "8" : "7";
    expect(readAppPassword(text.slice(0, at) + other + text.slice(at + 1))).toBeUndefined();
  }
  const none = [
    "",
    "hfp",
    "correct horse battery staple",
    text.slice(0, -1),
    `${text}0`,
    `x${text}`,
    "h".repeat(10_000),
  ];
  for (const written of none) expect(readAppPassword(written)).toBeUndefined();
  expect(new Set(Array.from({ length: 1000 }, () => makeAppPassword().text)).size).toBe(1000);
});
