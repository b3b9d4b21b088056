import { Writable } from "node:stream";
import { expect, test } from "vitest";
import { written } from "../../appliance/cli/output/written.ts";

/** A stream of which each write waits until its reader takes it. */
function slowStream(): { stream: Writable; take: () => void } {
  const waiting: (() => void)[] = [];
  const stream = new Writable({ write: (_chunk, _encoding, done) => void waiting.push(() => done()) });
  return { stream, take: () => waiting.shift()?.() };
}

const soon = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

test("waits for all streams, until all is taken", async () => {
  const [one, two] = [slowStream(), slowStream()];
  for (const { stream } of [one, two]) stream.write("text");
  let done = false;
  const wait = written([one.stream, two.stream], new AbortController().signal).then(() => {
    done = true;
  });
  for (const { take } of [one, two]) {
    await soon();
    expect(done).toBe(false);
    take();
    await soon();
    // What it asks to be told after.
    take();
  }
  await wait;
});

test("a reader that never reads is left when the signal fires, and soon where it fired before", async () => {
  const { stream } = slowStream();
  stream.write("text");
  const stop = new AbortController();
  const wait = written([stream], stop.signal);
  stop.abort();
  await wait;
  await written([stream], stop.signal);
  expect(stream.writableLength).toBe(4);
});

test("a reader that went away is no reason to wait", async () => {
  const { stream } = slowStream();
  stream.on("error", () => undefined);
  stream.write("text");
  const wait = written([stream], new AbortController().signal);
  stream.destroy(new Error("EPIPE"));
  await wait;
});
