// Create scripts that do what they should not: the job fails, and nothing is left.

import { beforeEach, describe, expect, test } from "vitest";
import { ErrorCode } from "../../../vault/errors.ts";
import { failureOf, HookFixture } from "./hookFixture.ts";

let hooked: HookFixture;

beforeEach(() => {
  hooked = new HookFixture();
});

describe("a create script that", () => {
  test.each([
    ["fails", "echo 'no room' >&2; exit 1", "ended with status 1: no room"],
    ["prints nothing", "true", "printed no line SNAPSHOT=<path>"],
    ["prints rubbish", "head -c 5000 /dev/urandom", "printed "],
    ["prints something else", "echo /tmp", "printed no line"],
    ["prints two", 'echo SNAPSHOT=/; echo "SNAPSHOT=/tmp"', "several lines"],
    ["prints an empty path", "echo SNAPSHOT=", 'printed "", no absolute path'],
    ["prints a relative path", "echo SNAPSHOT=tmp", "no absolute path"],
    ["climbs", 'echo "SNAPSHOT=$1/../.."', "no absolute path"],
    ["prints a very long path", "printf 'SNAPSHOT=/%5000d\\n' 1", "no absolute path"],
    ["prints what is not there", "echo SNAPSHOT=/nonexistent", "ENOENT"],
    ["prints a file", "echo SNAPSHOT=/etc/passwd", "ENOTDIR"],
    ["prints another folder", "echo SNAPSHOT=/etc", "is no snapshot of"],
    ["prints a window into the kernel", "echo SNAPSHOT=/proc", "is no snapshot of"],
    [
      "prints a copy",
      'mkdir "$HOLDFAST_SOURCE_FOLDER/copy"; echo "SNAPSHOT=$HOLDFAST_SOURCE_FOLDER/copy"',
      "is no snapshot of",
    ],
    ["hangs", "sleep 600", "was not done after 1 s"],
    ["prints for ever", "yes", "printed more than 65536 bytes"],
    ["kills itself", "kill -9 $$", "ended by SIGKILL"],
  ])("%s fails the job and leaves nothing", async (_, create, why) => {
    const tidy = 'rm -rf "$HOLDFAST_SOURCE_FOLDER"/*';
    const texts = {
      create,
      remove: hooked.noting("HOLDFAST_NOTHING", tidy),
      after: hooked.noting("HOLDFAST_ERROR_CODE"),
      timeoutMs: 1000,
    };
    const error = await failureOf(hooked.around(texts, () => expect.fail("it went on")));
    expect(error.code).toBe(ErrorCode.hookFailed);
    expect(error.message).toContain(why);
    expect(hooked.notes().map((line) => line.split(" ")[0])).toEqual(["remove", "after"]);
    expect(hooked.notes().at(-1)).toBe("after hook-failed");
    expect(hooked.leftOver()).toEqual([]);
    expect(hooked.said.warnings).toEqual([]);
  });
});
