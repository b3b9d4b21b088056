// Tells the gateway how far a backup is, and hears there whether it is to stop. Counts and sizes alone: the gateway may be locked, and is told no
// name and no message (docs/security.md, "What an agent tells of a backup").
//
// Invariant: a gateway that does not answer, or that does not know the question, holds up nothing and fails nothing.

import type { BackupOver, BackupTold, ProgressRequest } from "../../ingest/wire/messages.ts";
import { ErrorCode, type HoldfastError, isHoldfastError } from "../../vault/errors.ts";

/** So late an agent that sends nothing hears that it is to stop. */
export const tellMsDefault = 5000;
/** For the last word: who stopped a backup does not wait for the network. */
const lastWordMs = 3000;

export type TellerPort = {
  readonly tell: (told: ProgressRequest, signal: AbortSignal) => Promise<void>;
  readonly told: () => BackupTold;
  /** The gateway asks the backup to stop. */
  readonly stop: (reason: HoldfastError) => void;
  readonly everyMs?: number;
};

export const nothingTold: BackupTold = {
  ...{ files: 0, bytes: 0, totalFiles: 0, totalBytes: 0, sentBytes: 0, warnings: 0 },
};

/** What the gateway is told of a run that failed: its code, and none of its words. `signal`: what stopped it, if anything did. */
export function overOf(error: unknown, signal: AbortSignal): BackupOver {
  const code = isHoldfastError(error) ? error.code : ErrorCode.internal;
  const stopped = signal.aborted || code === ErrorCode.cancelled || code === ErrorCode.backupCancelled;
  return { result: stopped ? "stopped" : "failed", code };
}

export class ProgressTeller {
  readonly #port: TellerPort;
  readonly #ending = new AbortController();
  readonly #timer: NodeJS.Timeout;
  #telling: Promise<void> | undefined;
  #knows = true;

  /** Tells until `end`. */
  constructor(port: TellerPort) {
    this.#port = port;
    this.#timer = setInterval(() => this.#tell(), port.everyMs ?? tellMsDefault).unref();
  }

  #tell(): void {
    if (this.#telling !== undefined || !this.#knows) return;
    const { tell, told, stop } = this.#port;
    this.#telling = tell(told(), this.#ending.signal)
      .catch((error: unknown) => {
        if (isHoldfastError(error, ErrorCode.backupCancelled)) stop(error);
        if (isHoldfastError(error, ErrorCode.notFound)) this.#knows = false;
      })
      .finally(() => {
        this.#telling = undefined;
      });
  }

  /** Ends it. `over`: why there is no snapshot; said once, as far as that goes at once. */
  async end(over?: BackupOver): Promise<void> {
    clearInterval(this.#timer);
    this.#ending.abort();
    await this.#telling;
    if (over === undefined || !this.#knows) return;
    const { tell, told } = this.#port;
    await tell({ ...told(), over }, AbortSignal.timeout(lastWordMs)).catch(() => undefined);
  }
}
