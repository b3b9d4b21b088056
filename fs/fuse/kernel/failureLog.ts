// What a drive could not read, a line for each thing and piece: a reader that tries again, or page by page, must not fill the log.

import { ErrorCode, isHoldfastError } from "../../../vault/errors.ts";
import type { FuseLogger } from "../driver.ts";
import type { RequestBody } from "./request.ts";

/** The same failure is told again after this time. */
const REPEAT_MS = 60_000;
const TOLD_MAX = 1000;

export class FailureLog {
  readonly #logger: FuseLogger;
  readonly #told = new Set<string>();

  constructor(logger: FuseLogger) {
    this.#logger = logger;
  }

  /** `inode`: of what was asked about; the error's own message names the chunk. */
  tell(error: unknown, body: RequestBody, inode: bigint | undefined): void {
    const code = isHoldfastError(error) ? error.code : ErrorCode.internal;
    const message = error instanceof Error ? error.message : String(error);
    const key = `${inode} ${body.op} ${code} ${message}`;
    if (this.#told.has(key) || this.#told.size >= TOLD_MAX) return;
    if (this.#told.size === 0) setTimeout(() => this.#told.clear(), REPEAT_MS).unref();
    this.#told.add(key);
    const range = body.op === "read" ? { offset: String(body.offset), size: body.size } : {};
    const detail = { err: error, code, op: body.op, inode: String(inode), ...range };
    this.#logger.error(detail, "reading from the drive failed");
  }
}
