// A slow line, as a process of its own: passes TCP connections on with a delay, and all of them together at so many bytes a second each way.
// ARGV: address and port to listen on, address and port to pass on to, bytes a second (0: no limit), delay in milliseconds. A line on stdin
// sets the limit anew; each is answered by a line with the bytes that went up and down so far.

import { connect, createServer, type Socket } from "node:net";
import { createInterface } from "node:readline";
import { setTimeout as pause } from "node:timers/promises";

const [listenAddress, listenPort, targetAddress, targetPort, rate, delay] = process.argv.slice(2) as [
  string,
  string,
  string,
  string,
  string,
  string,
];
let bytesPerSecond = Number(rate);
const delayMs = Number(delay);
/** On their way in one connection and direction; its sender waits meanwhile. */
const queuedMax = 256 * 1024;

/** One direction of the line, which all connections share. */
class Direction {
  bytes = 0;
  #freeAtMs = 0;

  async pass(from: Socket, to: Socket): Promise<void> {
    let queued = 0;
    let last: Promise<void> = Promise.resolve();
    for await (const piece of from as AsyncIterable<Buffer>) {
      this.bytes += piece.length;
      queued += piece.length;
      const now = performance.now();
      const takesMs = bytesPerSecond === 0 ? 0 : (piece.length / bytesPerSecond) * 1000;
      this.#freeAtMs = Math.max(now, this.#freeAtMs) + takesMs;
      const waitMs = this.#freeAtMs - now + (bytesPerSecond === 0 ? 0 : delayMs);
      const arrived = Promise.all([last, pause(waitMs)]).then(() => {
        queued -= piece.length;
        to.write(piece);
      });
      last = arrived;
      if (queued > queuedMax) await arrived;
    }
    await last;
    to.end();
  }
}

const up = new Direction();
const down = new Direction();
const server = createServer({ allowHalfOpen: true }, (near) => {
  const far = connect({ host: targetAddress, port: Number(targetPort), allowHalfOpen: true });
  const end = (): void => {
    near.destroy();
    far.destroy();
  };
  near.on("error", end);
  far.on("error", end);
  up.pass(near, far).catch(end);
  down.pass(far, near).catch(end);
});
server.listen(Number(listenPort), listenAddress, () => process.stdout.write("listening\n"));
createInterface({ input: process.stdin })
  .on("line", (line) => {
    if (line !== "") bytesPerSecond = Number(line);
    process.stdout.write(`${up.bytes} ${down.bytes}\n`);
  })
  .on("close", () => process.exit(0));
