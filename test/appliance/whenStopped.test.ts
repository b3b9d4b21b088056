// What is said of a command that was stopped.

import { expect, test } from "vitest";
import { whenStopped } from "../../appliance/whenStopped.ts";
import { ErrorCode, HoldfastError } from "../../vault/errors.ts";

const reason = new HoldfastError(ErrorCode.cancelled, "stopped by SIGINT", { next: "Run again." });
const signal = AbortSignal.abort(reason);
const stopped = {
  code: "cancelled",
  message: "stopped by SIGINT",
  next: "Nothing was changed.",
  cause: reason,
};
const next = (): string => "Nothing was changed.";

test("who stopped it, and how to go on as the command knows it", async () => {
  await expect(whenStopped({ signal }, next, () => Promise.reject(reason))).rejects.toMatchObject(stopped);
  // As a running gateway says it.
  const far = new HoldfastError(ErrorCode.cancelled, "stopped");
  await expect(whenStopped({ signal }, next, () => Promise.reject(far))).rejects.toMatchObject(stopped);
});

test("what is done all the same is no failure, and other failures stay what they are", async () => {
  expect(await whenStopped({ signal }, next, async () => "done")).toBe("done");
  const full = new HoldfastError(ErrorCode.diskFull, "no room");
  await expect(whenStopped({ signal }, next, () => Promise.reject(full))).rejects.toBe(full);
  const open = { signal: new AbortController().signal };
  await expect(whenStopped(open, next, () => Promise.reject(reason))).rejects.toBe(reason);
});
