// Frames of record channels: both parsers take any cuts, and refuse what was not agreed before they make room for it.

import { randomBytes } from "node:crypto";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { afterUpgrade, NoChannel } from "../../ingest/client/recordChannel.ts";
import { recordBytesMin, wireLimits } from "../../ingest/wire/protocol.ts";
import { encodeReadLength, promisedBy, type ReadResult, ReadSign } from "../../ingest/wire/readStream.ts";
import {
  type AnswerTaker,
  ChannelAnswerParser,
  type ChannelRequest,
  ChannelRequestParser,
  channelProtocol,
  encodeAnswerHead,
  encodeChannelRequest,
} from "../../ingest/wire/recordChannel.ts";
import { HoldfastError } from "../../vault/errors.ts";
import { limits } from "../../vault/limits.ts";

const number = fc.nat(0xffff_ffff);
const cuts = fc.array(fc.nat(2000), { maxLength: 10 });

/** The same bytes in pieces. */
function pieces(bytes: Buffer, at: readonly number[]): Buffer[] {
  const ends = [...at.map((cut) => cut % (bytes.length + 1)).sort((a, b) => a - b), bytes.length];
  return ends.map((end, index) => bytes.subarray(index === 0 ? 0 : ends[index - 1], end));
}

type Taken = { ticket: number; index: number; result: ReadResult };

function collector(expected: AnswerTaker["expect"] = () => {}): {
  taken: Taken[];
  parser: ChannelAnswerParser;
} {
  const taken: Taken[] = [];
  const parser = new ChannelAnswerParser({
    expect: expected,
    memory: (bytes) => Buffer.alloc(bytes),
    take: (ticket, index, result) => taken.push({ ticket, index, result }),
  });
  return { taken, parser };
}

describe("requests", () => {
  test("round trip, however they are cut", () => {
    const ids = fc.array(fc.uint8Array({ minLength: 32, maxLength: 32 }), { minLength: 1, maxLength: 9 });
    fc.assert(
      fc.property(fc.array(fc.tuple(number, number, ids), { maxLength: 5 }), cuts, (requests, at) => {
        const bytes = Buffer.concat(requests.map((request) => encodeChannelRequest(...request)));
        const parser = new ChannelRequestParser();
        const found: ChannelRequest[] = pieces(bytes, at).flatMap((piece) => parser.push(piece));
        expect(found).toEqual(
          requests.map(([ticket, group, each]) => ({ ticket, group, ids: Buffer.concat(each) })),
        );
      }),
    );
  });
  test("none and too many are refused before room is made", () => {
    expect(() => new ChannelRequestParser().push(encodeAnswerHead(1, 1, 0))).toThrow("no records");
    const most = wireLimits.idsPerRead;
    expect(new ChannelRequestParser().push(encodeAnswerHead(1, 1, most))).toEqual([]);
    expect(() => new ChannelRequestParser().push(encodeAnswerHead(1, 1, most + 1))).toThrow("at most");
    expect(() => new ChannelRequestParser().push(encodeAnswerHead(1, 1, 2 ** 32 - 1))).toThrow("at most");
  });
});

describe("answers", () => {
  const result: fc.Arbitrary<ReadResult> = fc.oneof(
    fc.constantFrom<ReadResult>({ state: "missing" }, { state: "damaged" }, { state: "unavailable" }),
    number.map((box): ReadResult => promisedBy(box)),
    fc
      .uint8Array({ minLength: recordBytesMin, maxLength: recordBytesMin + 100 })
      .map((bytes): ReadResult => ({ state: "record", record: Buffer.from(bytes) })),
  );
  const frame = (ticket: number, index: number, each: ReadResult): Buffer => {
    if (each.state === "record")
      return Buffer.concat([encodeAnswerHead(ticket, index, each.record.length), each.record]);
    if (each.state !== "promised" && each.state !== "leftOut")
      return encodeAnswerHead(ticket, index, ReadSign[each.state]);
    const head = encodeAnswerHead(ticket, index, ReadSign.promised);
    return Buffer.concat([head, encodeReadLength(each.state === "promised" ? each.box : 0)]);
  };

  test("round trip, however they are cut", () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(number, number, result), { maxLength: 6 }), cuts, (answers, at) => {
        const { taken, parser } = collector();
        const bytes = Buffer.concat(answers.map((answer) => frame(...answer)));
        for (const piece of pieces(bytes, at)) parser.push(piece);
        expect(taken).toEqual(answers.map(([ticket, index, each]) => ({ ticket, index, result: each })));
      }),
    );
  });
  test("what nobody asked for, and lengths of no record, are refused before room is made", () => {
    const refused = collector(() => {
      throw new HoldfastError("protocol", "not asked");
    });
    expect(() => refused.parser.push(encodeAnswerHead(1, 0, 100))).toThrow("not asked");
    for (const length of [1, 5, limits.recordBytesMax + 1, 0xffff_fffc]) {
      expect(() => collector().parser.push(encodeAnswerHead(1, 0, length))).toThrow("declares");
    }
  });
  test("random bytes give results or a HoldfastError, from either parser", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 400 }), cuts, (bytes, at) => {
        for (const parser of [new ChannelRequestParser(), collector().parser]) {
          try {
            for (const piece of pieces(Buffer.from(bytes), at)) parser.push(piece);
          } catch (error) {
            expect(error).toBeInstanceOf(HoldfastError);
          }
        }
      }),
      { numRuns: 500 },
    );
  });
});

describe("the answer that opens a channel", () => {
  const head = (status: string, ...lines: string[]): Buffer =>
    Buffer.from(`${[status, ...lines].join("\r\n")}\r\n\r\n`);
  test("is 101 with our name; what follows its head is frames", () => {
    const rest = randomBytes(20);
    const answer = head(
      "HTTP/1.1 101 Switching Protocols",
      "Connection: Upgrade",
      `upgrade:  ${channelProtocol}`,
    );
    expect(afterUpgrade(Buffer.concat([answer, rest])).equals(rest)).toBe(true);
  });
  test.each([
    head("HTTP/1.1 404 Not Found", `Upgrade: ${channelProtocol}`),
    head("HTTP/1.1 101 Switching Protocols", "Upgrade: holdfast-records/2"),
    head("HTTP/1.1 101 Switching Protocols"),
    head("HTTP/1.0 101 Switching Protocols", `Upgrade: ${channelProtocol}`),
    Buffer.from(`HTTP/1.1 101 Switching Protocols\r\nUpgrade: ${channelProtocol}\r\n`),
    Buffer.alloc(0),
  ])("is none of these (%#)", (answer) => {
    expect(() => afterUpgrade(answer)).toThrow(NoChannel);
  });
  test("fuzz", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
        expect(() => afterUpgrade(Buffer.from(bytes))).toThrow(NoChannel);
      }),
    );
  });
});
