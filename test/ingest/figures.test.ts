// The header by which agents tell a gateway's guard what they saw.

import fc from "fast-check";
import { expect, test } from "vitest";
import {
  type BackupFigures,
  figuresHeader,
  figuresHeaders,
  parseFigures,
} from "../../ingest/wire/figures.ts";
import { ErrorCode, isHoldfastError } from "../../vault/errors.ts";

const figures: BackupFigures = {
  ...{ files: 10, changed: 1, added: 2, removed: 3, renamed: 1, newBytes: 5000, rawBytes: 40 },
};

function outcome(text: string): unknown {
  try {
    return parseFigures(text);
  } catch (error) {
    if (isHoldfastError(error, ErrorCode.protocol)) return "protocol";
    throw error;
  }
}

test("what is said is heard; nothing, and more than is known, are fine", () => {
  const headers = figuresHeaders(figures);
  expect(Object.keys(headers)).toEqual([figuresHeader]);
  expect(parseFigures(headers[figuresHeader])).toEqual(figures);
  expect(parseFigures(JSON.stringify({ ...figures, later: "x" }))).toEqual(figures);
  const more = { ...figures, warnings: 7 };
  expect(parseFigures(figuresHeaders(more)[figuresHeader])).toEqual(more);
  expect(figuresHeaders(undefined)).toEqual({});
  expect(parseFigures(undefined)).toBeUndefined();
});

test("what is no figure is refused", () => {
  for (const wrong of [-1, 1.5, 2 ** 53, "1", null, Number.NaN]) {
    expect(outcome(JSON.stringify({ ...figures, files: wrong }))).toBe("protocol");
  }
  const { files: _files, ...rest } = figures;
  expect(outcome(JSON.stringify({ ...figures, warnings: -1 }))).toBe("protocol");
  for (const text of ["", "{", "[]", "null", "7", JSON.stringify(rest), " ".repeat(1025)]) {
    expect(outcome(text), text.slice(0, 20)).toBe("protocol");
  }
  expect(outcome(`${JSON.stringify(figures)}, ${JSON.stringify(figures)}`), "sent twice").toBe("protocol");
});

test("fuzz: whatever else, the answer is figures or a code", () => {
  fc.assert(
    fc.property(
      fc.oneof(
        fc.string(),
        fc.json(),
        fc.json().map((text) => `{"files":${text}}`),
      ),
      (text) => {
        const said = outcome(text);
        if (said !== "protocol") expect(Object.values(said as object).every(Number.isSafeInteger)).toBe(true);
      },
    ),
  );
});
