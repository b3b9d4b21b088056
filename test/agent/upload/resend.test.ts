// Requests that break before or after the gateway took them in: nothing is stored twice, nothing is left out.

import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { UploadPort } from "../../../agent/upload/port.ts";
import { resending, whileRunning } from "../../../agent/upload/resend.ts";
import { createBitmap, setBit } from "../../../ingest/wire/bitmap.ts";
import { RecordStatus } from "../../../ingest/wire/recordStatus.ts";
import { ErrorCode, HoldfastError } from "../../../vault/errors.ts";
import { seededId } from "../../vault/seeded.ts";

function recordNamed(name: string): Buffer {
  return Buffer.concat([Buffer.alloc(24), seededId(name), Buffer.alloc(50)]);
}

class FlakyGateway implements UploadPort {
  readonly stored = new Map<string, number>();
  /** How the next requests go. */
  fate: () => "works" | "not taken in" | "taken in, answer lost" | "half taken in" = () => "works";

  async have(ids: readonly Uint8Array[]): Promise<Buffer> {
    if (this.fate() === "not taken in") throw lost();
    const bitmap = createBitmap(ids.length);
    for (const [index, id] of ids.entries()) {
      if (this.stored.has(Buffer.from(id).toString("hex"))) setBit(bitmap, index);
    }
    return bitmap;
  }

  async records(records: readonly Uint8Array[]) {
    const fate = this.fate();
    if (fate === "not taken in") throw lost();
    const taken = fate === "half taken in" ? records.slice(0, records.length >> 1) : records;
    for (const record of taken) {
      const id = Buffer.from(record.subarray(24, 56)).toString("hex");
      this.stored.set(id, (this.stored.get(id) ?? 0) + 1);
    }
    if (fate !== "works") throw lost();
    return { statuses: new Uint8Array(records.length).fill(RecordStatus.stored), missing: [] };
  }

  async read(ids: readonly Uint8Array[]) {
    return ids.map(() => undefined);
  }

  async suspect() {
    return [];
  }
}

function lost(): HoldfastError {
  return new HoldfastError(ErrorCode.gatewayUnreachable, "the line broke");
}

describe("sending again", () => {
  test("every record is stored once", async () => {
    const fate = fc.constantFrom("works", "not taken in", "taken in, answer lost", "half taken in");
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 1, max: 20 }),
        fc.array(fate, { maxLength: 12 }),
        async (count, fates) => {
          const gateway = new FlakyGateway();
          let at = 0;
          gateway.fate = () => fates[at++] ?? "works";
          const port = resending(gateway, async () => undefined);
          const records = Array.from({ length: count }, (_, index) => recordNamed(`${index}`));
          const { statuses } = await port.records(records);
          expect(statuses.length).toBe(count);
          expect(gateway.stored.size).toBe(count);
          expect(new Set(gateway.stored.values())).toEqual(new Set([1]));
        },
      ),
      { numRuns: 200 },
    );
  });

  test("other failures come out at once, and patience ends", async () => {
    const gateway = new FlakyGateway();
    let pausedMs = 0;
    const port = resending(gateway, async (ms) => {
      pausedMs += ms;
    });
    gateway.records = () => Promise.reject(new HoldfastError(ErrorCode.diskFull, "full"));
    await expect(port.records([recordNamed("a")])).rejects.toMatchObject({ code: ErrorCode.diskFull });
    expect(pausedMs).toBe(0);
    gateway.fate = () => "not taken in";
    await expect(port.have([seededId("a")])).rejects.toMatchObject({ code: ErrorCode.gatewayUnreachable });
    expect(pausedMs).toBeGreaterThanOrEqual(180_000);
    expect(pausedMs).toBeLessThan(200_000);
  });

  test("nothing is asked or sent after the run failed", async () => {
    const gateway = new FlakyGateway();
    const port = whileRunning(gateway, {
      check: () => {
        throw new Error("over");
      },
    });
    await expect(port.records([recordNamed("a")])).rejects.toThrow("over");
    await expect(port.have([])).rejects.toThrow("over");
    await expect(port.read([])).rejects.toThrow("over");
    await expect(port.suspect([])).rejects.toThrow("over");
    expect(gateway.stored.size).toBe(0);
  });
});
