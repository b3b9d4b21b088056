// Two records opened beside each other: each comes out as by itself, whatever the other one is.

import fc from "fast-check";
import { expect, test } from "vitest";
import { createNativeHmacs } from "../../agent/platform/nativeHmac.ts";
import { nodeHmacs } from "../../vault/hmac.ts";
import { RecordType } from "../../vault/magic.ts";
import { openRecord, parseRecordHeader, type RecordToOpen, sealRecord } from "../../vault/record.ts";
import { openRecordPair, outcomeOf } from "../../vault/recordPair.ts";
import { bytesOf, sampleKeys } from "./sampleVault.ts";

const keys = sampleKeys();

/** What is done to a record between sealing and opening. */
const harms = {
  none: () => undefined,
  sealedByte: (record) => {
    record[record.length - 20]! ^= 1;
  },
  tag: (record) => {
    record[record.length - 1]! ^= 1;
  },
  header: (record) => {
    record[0]! ^= 1;
  },
} satisfies Record<string, (record: Buffer) => void>;

const records = fc.record({
  seed: fc.nat({ max: 1000 }),
  length: fc.oneof(fc.nat({ max: 300 }), fc.nat({ max: 300_000 })),
  group: fc.constantFrom(1, 2),
  type: fc.constantFrom(RecordType.data, RecordType.directory),
  refs: fc.nat({ max: 3 }),
  harm: fc.constantFrom(...(Object.keys(harms) as (keyof typeof harms)[])),
  /** `content`: its writer named other content by this id; `asked`: another id was asked for. */
  lie: fc.constantFrom("none", "none", "content", "asked", "cut", "group"),
});

function wantedOf(spec: typeof records extends fc.Arbitrary<infer Spec> ? Spec : never): RecordToOpen {
  const { seed, length, group, type, lie } = spec;
  const plaintext = bytesOf(`plaintext ${seed}`, length);
  const refs =
    type === RecordType.data
      ? Buffer.alloc(0)
      : Buffer.concat(Array.from({ length: spec.refs }, (_, i) => bytesOf(`ref ${seed} ${i}`, 32)));
  const false_ = lie === "content" ? { id: bytesOf(`false ${seed}`, 32) } : {};
  const record = sealRecord({ keys, group, type, plaintext, refs, ...false_ });
  const id = Buffer.from(parseRecordHeader(record).id);
  harms[spec.harm](record);
  return {
    ...{ keys, group: lie === "group" ? group + 1 : group, expectedType: type },
    record: lie === "cut" ? record.subarray(0, -1) : record,
    expectedId: lie === "asked" ? bytesOf(`another ${seed}`, 32) : id,
  };
}

test.each([
  ["Node's HMAC", () => nodeHmacs],
  ["two HMACs in the time of one", createNativeHmacs],
])("with %s", (_, makeHmacs) => {
  const hmacs = makeHmacs();
  fc.assert(
    fc.property(records, records, (one, other) => {
      const pair = [wantedOf(one), wantedOf(other)] as const;
      const alone = pair.map((each) => outcomeOf(() => openRecord(each)));
      expect(openRecordPair(pair, hmacs)).toEqual(alone);
      // What is right comes out, and what is not does not.
      for (const [at, { harm, lie }] of [one, other].entries())
        expect("value" in alone[at]!).toBe(harm === "none" && lie === "none");
    }),
  );
});
