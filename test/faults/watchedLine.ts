// A line on loopback that counts what passes, so that a test can do something at a byte of its choosing. What is behind it may end and come
// back at another port; who connects meanwhile is cut off.

import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";

export type Direction = "up" | "down";

export class WatchedLine {
  readonly bytes: Record<Direction, number> = { up: 0, down: 0 };
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  #target: { readonly host: string; readonly port: number } | undefined;
  #watch: { readonly direction: Direction; readonly at: number; readonly reached: () => void } | undefined;

  private constructor() {
    this.#server = createServer((near) => this.#join(near));
  }

  static async start(): Promise<WatchedLine> {
    const line = new WatchedLine();
    line.#server.listen(0, "127.0.0.1");
    await once(line.#server, "listening");
    return line;
  }

  /** Where it begins. */
  get url(): string {
    return `https://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** Where it leads to. */
  leadTo(url: string): void {
    const { hostname, port } = new URL(url);
    this.#target = { host: hostname, port: Number(port) };
  }

  /** Resolves when so many bytes more have passed. A newer call takes the place of this one. */
  passes(direction: Direction, bytes: number): Promise<void> {
    return new Promise((reached) => {
      this.#watch = { direction, at: this.bytes[direction] + bytes, reached };
    });
  }

  #keep(socket: Socket): void {
    this.#sockets.add(socket);
    socket.on("error", () => undefined);
    socket.on("close", () => this.#sockets.delete(socket));
  }

  #join(near: Socket): void {
    this.#keep(near);
    if (this.#target === undefined) return void near.resetAndDestroy();
    const far = connect(this.#target);
    this.#keep(far);
    for (const [from, to, direction] of [
      [near, far, "up"],
      [far, near, "down"],
    ] as const) {
      from.on("data", (piece: Buffer) => this.#count(direction, piece.length));
      from.on("close", () => to.destroy());
      from.pipe(to);
    }
  }

  #count(direction: Direction, bytes: number): void {
    this.bytes[direction] += bytes;
    const watch = this.#watch;
    if (watch === undefined || watch.direction !== direction || this.bytes[direction] < watch.at) return;
    this.#watch = undefined;
    watch.reached();
  }

  async close(): Promise<void> {
    const closed = once(this.#server, "close");
    this.#server.close();
    for (const socket of this.#sockets) socket.destroy();
    await closed;
  }
}
