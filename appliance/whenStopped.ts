// What a person is told whose Ctrl-C ended a command: what was done, and how to go on.

import { ErrorCode, HoldfastError, isHoldfastError } from "../vault/errors.ts";
import type { CommandContext } from "./cli/command.ts";

/**
 * Runs `work`. Where the signal ended it, the failure has the signal's reason as its cause and says `next()`, which is asked then: it may
 * depend on how far the work was.
 */
export async function whenStopped<T>(
  { signal }: Pick<CommandContext, "signal">,
  next: () => string,
  work: () => Promise<T>,
): Promise<T> {
  try {
    return await work();
  } catch (error) {
    const { reason } = signal;
    if (!signal.aborted || !isHoldfastError(reason)) throw error;
    if (error !== reason && !isHoldfastError(error, ErrorCode.cancelled)) throw error;
    throw new HoldfastError(ErrorCode.cancelled, reason.message, { next: next(), cause: reason });
  }
}
