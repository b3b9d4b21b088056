// The files of a state directory with anything in them: a typed error that names the file, or what is right; never a crash,
// and never a value of another type.

import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, describe, expect, test } from "vitest";
import { ProvenChunks } from "../../../agent/inspect/provenChunks.ts";
import { findEnrollment } from "../../../agent/state/enrollment.ts";
import { Seen } from "../../../agent/state/seen.ts";
import { HoldfastError } from "../../../vault/errors.ts";
import { damagedBytes, damagedJson } from "../../vault/damagedText.ts";

const state = mkdtempSync(join(tmpdir(), "holdfast-state-files-"));
afterAll(() => rmSync(state, { recursive: true, force: true }));

/** Nested far beyond what a recursive reader takes. */
const deep = "[".repeat(200_000);
const numRuns = 800;

/** What reading gives with these bytes in the file; undefined where it is refused, which must be with a HoldfastError of `codes`. */
function read<T>(
  name: string,
  bytes: string | Buffer,
  codes: readonly string[],
  open: () => T,
): T | undefined {
  writeFileSync(join(state, name), bytes);
  try {
    return open();
  } catch (error) {
    if (!(error instanceof HoldfastError)) throw error;
    expect(codes).toContain(error.code);
    expect(error.message).toContain(name);
    return undefined;
  } finally {
    rmSync(join(state, name), { force: true });
  }
}

describe("agent.json", () => {
  const enrollment = {
    format: "holdfast-agent",
    version: 1,
    gateway: { url: "https://g:1", fingerprint: `SHA256:${"0".repeat(64)}` },
    account: { id: "0".repeat(32), name: "alice" },
    device: { id: "1".repeat(32), name: "one", group: 1 },
    vault: "2".repeat(32),
    kdfIterations: 210_000,
    privateKey: Buffer.alloc(32, 1).toString("base64"),
    token: "t",
    enrolled: "2026-11-22T05:45:12Z",
  };
  const find = (bytes: string | Buffer) =>
    read("agent.json", bytes, ["data-dir-invalid", "unsupported"], () => findEnrollment(state));

  test("that is whole is read", () => {
    expect(find(JSON.stringify(enrollment))).toEqual(enrollment);
  });

  test.each([
    ["with members that are gone or other ones", damagedJson(enrollment)],
    ["with damaged bytes", damagedBytes(JSON.stringify(enrollment, null, 1))],
    ["of arbitrary JSON", fc.json()],
  ] as const)("fuzz: %s", (_, damaged: fc.Arbitrary<string | Buffer>) => {
    fc.assert(
      fc.property(damaged, (bytes) => {
        const found = find(bytes);
        if (found === undefined) return;
        const { id, name, group } = found.device;
        for (const text of [
          found.gateway.url,
          found.gateway.fingerprint,
          found.account.name,
          name,
          found.token,
        ])
          expect(text).toBeTypeOf("string");
        for (const hex of [found.account.id, id, found.vault]) expect(hex).toMatch(/^[0-9a-f]{32}$/);
        expect(Buffer.from(found.privateKey, "base64").length).toBe(32);
        expect(Number.isSafeInteger(group) && group >= 1 && group <= 0xffff_ffff).toBe(true);
        expect(Number.isSafeInteger(found.kdfIterations) && found.kdfIterations >= 1).toBe(true);
      }),
      { numRuns },
    );
  });

  test("nested without end, or over a mebibyte, is damaged", () => {
    expect(find(deep)).toBeUndefined();
    expect(find(`${JSON.stringify(enrollment)}${" ".repeat(2 ** 20)}`)).toBeUndefined();
  });
});

describe("seen.json", () => {
  const document = { sequences: { files: 5, "a b": 1 }, generations: { ["ab".repeat(16)]: 7 } };
  const open = (bytes: string | Buffer) =>
    read("seen.json", bytes, ["data-dir-invalid"], () => new Seen(state));

  test.each([
    ["with members that are gone or other ones", damagedJson(document)],
    ["with damaged bytes", damagedBytes(JSON.stringify(document))],
    ["of arbitrary JSON", fc.json()],
  ] as const)("fuzz: %s", (_, damaged: fc.Arbitrary<string | Buffer>) => {
    fc.assert(
      fc.property(damaged, (bytes) => {
        const seen = open(bytes);
        if (seen === undefined) return;
        for (const name of ["files", "a b", "constructor", "__proto__", "toString"]) {
          for (const number of [seen.sequence(name), seen.generation(name)])
            expect(Number.isSafeInteger(number) && number >= 0).toBe(true);
        }
      }),
      { numRuns },
    );
  });

  test("nested without end is damaged", () => {
    expect(open(deep)).toBeUndefined();
  });
});

test("fuzz: check.partial begins anew or goes on, whatever it holds", () => {
  const now = Date.UTC(2026, 10, 25);
  const head = { origin: "here", share: "50%", seed: "ab".repeat(16), startedMs: now };
  const heads = fc.oneof(
    fc.constant(JSON.stringify(head)),
    damagedJson(head),
    damagedBytes(JSON.stringify(head)).map((bytes) => bytes.toString("latin1")),
  );
  fc.assert(
    fc.property(heads, fc.uint8Array({ maxLength: 100 }), fc.nat(300), (text, tags, padded) => {
      const path = join(state, "check.partial");
      writeFileSync(
        path,
        Buffer.concat([Buffer.from(text.padEnd(padded < 200 ? 512 : padded), "latin1"), tags]),
      );
      const proven = ProvenChunks.open(state, "here", "50%", now + 1);
      try {
        expect(proven.resumed).toBeLessThanOrEqual((text.length + 300 + tags.length) / 8);
        expect([now, now + 1]).toContain(proven.startedMs);
        const id = Buffer.alloc(32, 5);
        expect(proven.isDrawn(id, 1)).toBe(true);
        expect(proven.isDrawn(id, 0)).toBe(false);
        proven.add([id]);
        expect(proven.has(id)).toBe(true);
      } finally {
        proven.finish();
      }
    }),
    { numRuns: 400 },
  );
});
