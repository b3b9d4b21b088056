// A file of a snapshot as the input of a command (docs/programs.md).
//
// Invariants: a byte is handed on only after its chunk was proven, and the end of the input is shown only after the hash of the whole file was;
// whatever fails before, also where this process is killed, the command is dead before its input is closed.

import { closeSync, readSync } from "node:fs";
import { Socket } from "node:net";
import { setTimeout as pause } from "node:timers/promises";
import { ErrorCode, HoldfastError } from "../../vault/errors.ts";
import { FileHasher } from "../../vault/fileHash.ts";
import type { VaultKeys } from "../../vault/keys/vaultKeys.ts";
import { contentBytes, fileAt } from "../inspect/listTree.ts";
import type { SnapshotTree } from "../inspect/snapshotTree.ts";
import { makePipe } from "../platform/pipe.ts";
import { displayPath } from "../platform/systemError.ts";
import { ErrorText } from "./errorText.ts";
import { Overtime, type ProgramLimits, stopText } from "./overtime.ts";
import { programFailed, ShellCommand, wrongEnd } from "./shellCommand.ts";

const lookMs = 100;
/** So finely the program is seen to read. */
const pieceBytes = 64 * 1024;

export type IntoProgram = {
  readonly snapshot: SnapshotTree;
  readonly keys: VaultKeys;
  /** Names from the root to the file. */
  readonly path: readonly Uint8Array[];
  readonly command: string;
  readonly limits: ProgramLimits;
  /** Where its output goes: a descriptor. */
  readonly stdout: number;
  readonly environment: NodeJS.ProcessEnv;
  readonly warn: (what: string) => void;
  readonly progress: (bytes: number, totalBytes: number) => void;
  /** A clock that never goes back. */
  readonly steadyMs: () => number;
  readonly signal: AbortSignal;
};

type File = Awaited<ReturnType<typeof fileAt>>;

/**
 * Runs the command on the file's bytes. Resolves with how many it took.
 * @throws HoldfastError program-failed; not-found, usage where no file is named; the damage that was found; cancelled
 */
export async function restoreIntoProgram(into: IntoProgram): Promise<{ readonly bytes: number }> {
  const { snapshot, path, command, stdout, environment, warn } = into;
  const file = await fileAt(snapshot, path, into.signal);
  const text = new ErrorText((line) => warn(`the command says: ${displayPath(line)}`));
  const onError = (bytes: Buffer): void => text.take(bytes);
  const pipe = makePipe();
  const input = new Socket({ fd: pipe.write, readable: false, writable: true });
  // Who writes hears of it.
  input.on("error", () => undefined);
  try {
    const running = await ShellCommand.start({ command, stdin: pipe, stdout, environment, onError });
    try {
      const sent = await new Feeding(into, file, running, input).toItsEnd();
      const taken = Math.max(0, sent - (await unread(pipe.read, input)));
      if (taken < file.size)
        warn(`the command ended before it had read all: about ${taken} of ${file.size} bytes`);
      return { bytes: taken };
    } catch (error) {
      await running.stop();
      throw error;
    } finally {
      await running.letGo();
      text.end();
    }
  } finally {
    input.destroy();
    closeSync(pipe.read);
  }
}

/** Closes the pipe, and counts what nobody has read of it. */
async function unread(read: number, input: Socket): Promise<number> {
  if (!input.closed) await new Promise<void>((resolve) => input.destroy().once("close", () => resolve()));
  const scratch = Buffer.allocUnsafe(pieceBytes);
  // With no writer any more, it ends instead of waiting.
  for (let left = 0; ; ) {
    const got = readSync(read, scratch);
    if (got === 0) return left;
    left += got;
  }
}

class Feeding {
  readonly #into: IntoProgram;
  readonly #file: File;
  readonly #running: ShellCommand;
  readonly #input: Socket;
  /** Fires when the program is to be stopped. */
  readonly #stop = new AbortController();
  /** Whether it is the program that is waited for. */
  #waits = false;
  #sent = 0;

  constructor(into: IntoProgram, file: File, running: ShellCommand, input: Socket) {
    this.#into = into;
    this.#file = file;
    this.#running = running;
    this.#input = input;
  }

  /** Resolves with how many bytes the pipe took when the program ended well. */
  async toItsEnd(): Promise<number> {
    const { limits, steadyMs, progress, signal } = this.#into;
    const overtime = new Overtime(limits, steadyMs);
    const timer = setInterval(() => {
      progress(this.#sent, this.#file.size);
      const passed = overtime.passed(this.#sent, this.#waits);
      if (passed !== undefined) this.#stop.abort(programFailed(stopText(passed, limits)));
    }, lookMs);
    const cancel = (): void => this.#stop.abort(signal.reason);
    signal.addEventListener("abort", cancel);
    if (signal.aborted) cancel();
    try {
      const whole = await this.#send();
      this.#waits = true;
      // It is over; what it left behind must not take what came for the whole either.
      if (!whole) await this.#running.stop();
      this.#running.endInput();
      this.#input.end();
      const wrong = wrongEnd(await this.#orStopped(this.#running.ended));
      if (wrong !== undefined) throw programFailed(wrong);
      return this.#sent;
    } finally {
      clearInterval(timer);
      signal.removeEventListener("abort", cancel);
    }
  }

  /** Hands all bytes on, and proves them; false where the program ended before it took all. */
  async #send(): Promise<boolean> {
    const { snapshot, keys } = this.#into;
    const { size, fileHash } = this.#file;
    const hasher = new FileHasher(keys.fileHashKey, { sizeMax: size });
    for await (const bytes of contentBytes(snapshot, this.#file, this.#stop.signal)) {
      hasher.update(bytes);
      for (let at = 0; at < bytes.length; at += pieceBytes) {
        const piece = bytes.subarray(at, at + pieceBytes);
        if (!(await this.#write(piece))) return false;
        this.#sent += piece.length;
      }
    }
    const hash = hasher.digest();
    if (size > 0 && (hash === undefined || fileHash === undefined || !hash.equals(fileHash))) {
      throw new HoldfastError(ErrorCode.idMismatch, "its content does not match its hash in the snapshot");
    }
    return true;
  }

  /** Resolves when the pipe took it; false where the program ended, and it did not. */
  async #write(piece: Buffer): Promise<boolean> {
    this.#waits = true;
    let isWritten = false;
    const written = new Promise<void>((resolve, reject) => {
      this.#input.write(piece, (error) => {
        if (error != null) return reject(notWritten(error));
        isWritten = true;
        resolve();
      });
    });
    await this.#orStopped(Promise.race([written, this.#running.ended]));
    // That the last of it was taken may be known a moment later than that the program ended.
    if (!isWritten) await Promise.race([written, pause(lookMs)]);
    this.#waits = false;
    return isWritten;
  }

  #orStopped<T>(work: Promise<T>): Promise<T> {
    const { signal } = this.#stop;
    return new Promise((resolve, reject) => {
      const stop = (): void => reject(signal.reason);
      signal.addEventListener("abort", stop, { once: true });
      if (signal.aborted) stop();
      work.then(resolve, reject).finally(() => signal.removeEventListener("abort", stop));
    });
  }
}

/** Its other end is open here too, so that a program that reads no more is no reason. */
function notWritten(cause: Error): HoldfastError {
  return new HoldfastError(ErrorCode.ioError, `the command's input cannot be written: ${cause.message}`, {
    cause,
  });
}
