// Commands to a program of QEMU by its monitor (QMP): one JSON value a line, each way, over a socket.

import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { createInterface } from "node:readline";

type Answer = { readonly return?: unknown; readonly error?: { readonly desc: string } };

export class Qmp {
  readonly #socket: Socket;
  readonly #answers: AsyncIterator<string>;
  #turn: Promise<unknown> = Promise.resolve();

  private constructor(socket: Socket) {
    this.#socket = socket;
    this.#answers = createInterface({ input: socket })[Symbol.asyncIterator]();
  }

  /** `path`: of the socket. */
  static async connect(path: string): Promise<Qmp> {
    const socket = connect(path);
    await once(socket, "connect");
    // A daemon that is killed while it is asked is told by the answer that does not come.
    socket.on("error", () => undefined);
    const qmp = new Qmp(socket);
    await qmp.#answers.next(); // its greeting
    await qmp.run("qmp_capabilities", {});
    return qmp;
  }

  /** Runs a command, after those before it; fails with QEMU's own words. */
  run(command: string, options: Readonly<Record<string, unknown>>): Promise<unknown> {
    const ran = this.#turn.then(() => this.#run(command, options));
    this.#turn = ran.catch(() => undefined);
    return ran;
  }

  async #run(execute: string, options: Readonly<Record<string, unknown>>): Promise<unknown> {
    this.#socket.write(`${JSON.stringify({ execute, arguments: options })}\n`);
    for (;;) {
      const { value, done } = await this.#answers.next();
      if (done === true) throw new Error(`${execute}: the monitor went away`);
      const answer = JSON.parse(value) as Answer;
      if (answer.error !== undefined) throw new Error(`${execute}: ${answer.error.desc}`);
      // Events come in between.
      if ("return" in answer) return answer.return;
    }
  }

  close(): void {
    this.#socket.destroy();
  }
}
