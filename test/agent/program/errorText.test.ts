import fc from "fast-check";
import { expect, test } from "vitest";
import { ErrorText } from "../../../agent/program/errorText.ts";

function told(...pieces: readonly (string | Uint8Array)[]): string[] {
  const lines: string[] = [];
  const text = new ErrorText((line) => lines.push(line.toString("latin1")));
  for (const piece of pieces) text.take(Buffer.from(piece));
  text.end();
  return lines;
}

test("lines come whole, however they are cut, and empty ones not at all", () => {
  expect(told("one\ntw", "o\n\n10%\r20%\r\nthree")).toEqual(["one", "two", "10%", "20%", "three"]);
  expect(told()).toEqual([]);
});

test("a line is told as soon as it is there", () => {
  const lines: string[] = [];
  const text = new ErrorText((line) => lines.push(line.toString()));
  text.take(Buffer.from("first\nsec"));
  expect(lines).toEqual(["first"]);
});

test("of much, the beginning and the end are told, and how much is not", () => {
  const all = Array.from({ length: 100_000 }, (_, index) => `line ${index}`);
  const lines = told(`${all.join("\n")}\n`);
  const at = lines.findIndex((line) => line.startsWith("("));
  const cut = /^\((\d+) lines, (\d+) bytes, are left out here\)$/.exec(lines[at] ?? "");
  const left = all.slice(at, at + Number(cut?.[1]));
  expect(lines).toEqual([...all.slice(0, at), lines[at], ...all.slice(at + left.length)]);
  expect(Number(cut?.[2])).toBe(left.join("").length);
  expect(lines.join("\n").length).toBeLessThan(33_000);
  expect(lines.at(-1)).toBe("line 99999");
});

test("whatever is written, however it is cut: nothing is lost below the limit, and memory is bounded above it", () => {
  const bytes = fc.uint8Array({ maxLength: 3000 });
  fc.assert(
    fc.property(fc.array(bytes, { maxLength: 4 }), (pieces) => {
      const all = Buffer.concat(pieces).toString("latin1");
      expect(told(...pieces).join("")).toBe(all.replaceAll(/[\r\n]/g, ""));
    }),
  );
  expect(told("x".repeat(5000)).map(({ length }) => length)).toEqual([1024, 1024, 1024, 1024, 904]);
  expect(told("x".repeat(10_000_000)).join("").length).toBeLessThan(33_000);
});
