// Questions are answered each for its own id, in few requests, and a failed request fails its own questions alone.

import fc from "fast-check";
import { expect, test } from "vitest";
import { HaveBatcher } from "../../../agent/upload/haveBatcher.ts";
import { createBitmap, setBit } from "../../../ingest/wire/bitmap.ts";
import { wireLimits } from "../../../ingest/wire/protocol.ts";
import { seededId } from "../../vault/seeded.ts";

const isThere = (id: Uint8Array): boolean => ((id[0] as number) & 1) === 1;

test("answers go to their questions, whatever the delays and failures", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.record({ id: fc.nat(50), pause: fc.nat(2) }), { maxLength: 80 }),
      fc.infiniteStream(
        fc.record({ turns: fc.nat(4), fails: fc.integer({ min: 0, max: 9 }).map((n) => n === 0) }),
      ),
      async (questions, requests) => {
        let atOnce = 0;
        let asked = 0;
        let failed = 0;
        const batcher = new HaveBatcher(async (ids) => {
          expect(++atOnce).toBeLessThanOrEqual(2);
          asked += ids.length;
          const { turns, fails } = requests.next().value ?? { turns: 0, fails: false };
          for (let turn = 0; turn < turns; turn++) await new Promise((resolve) => setImmediate(resolve));
          atOnce -= 1;
          if (fails) {
            failed += ids.length;
            throw new Error("lost");
          }
          const bitmap = createBitmap(ids.length);
          for (const [index, id] of ids.entries()) if (isThere(id)) setBit(bitmap, index);
          return bitmap;
        });
        const answers: Promise<boolean | "lost">[] = [];
        for (const { id, pause } of questions) {
          answers.push(batcher.ask(seededId(`${id}`)).catch(() => "lost" as const));
          for (let turn = 0; turn < pause; turn++) await new Promise((resolve) => setImmediate(resolve));
        }
        const got = await Promise.all(answers);
        expect(asked).toBe(questions.length);
        expect(got.filter((answer) => answer === "lost").length).toBe(failed);
        for (const [index, answer] of got.entries()) {
          if (answer !== "lost") expect(answer).toBe(isThere(seededId(`${questions[index]?.id}`)));
        }
      },
    ),
    { numRuns: 60 },
  );
});

test("a burst of questions is a few full requests", async () => {
  const sizes: number[] = [];
  const batcher = new HaveBatcher(async (ids) => {
    sizes.push(ids.length);
    return createBitmap(ids.length);
  });
  const count = wireLimits.idsPerHave * 2 + 5;
  const id = seededId("any");
  await Promise.all(Array.from({ length: count }, () => batcher.ask(id)));
  expect(sizes).toEqual([wireLimits.idsPerHave, wireLimits.idsPerHave, 5]);
});
