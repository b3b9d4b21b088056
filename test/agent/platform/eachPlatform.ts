// What the platform tests share: both platforms, each with a fresh directory.

import { execFileSync } from "node:child_process";
import * as fs from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach } from "vitest";
import { createLinuxPlatform } from "../../../agent/platform/linux.ts";
import type { Handle, Platform } from "../../../agent/platform/port.ts";
import { createPortablePlatform } from "../../../agent/platform/portable.ts";
import { SystemError } from "../../../agent/platform/systemError.ts";

export const isRoot = process.getuid?.() === 0;
export const bytes = (text: string) => Buffer.from(text, "latin1");
/** A name that is not UTF-8 and has a newline. */
export const badName = Buffer.from([0xff, 0x0a, 0x80]);

export const platforms = [
  ["linux", createLinuxPlatform],
  ["portable", createPortablePlatform],
] as const;

/** What `name` of a file of agent/platform gives in a process that makes no native calls, as it would be printed. */
export function givenWithoutNative(file: string, name: string): string {
  const module = join(import.meta.dirname, "../../../agent/platform", file);
  const code = `import { ${name} } from ${JSON.stringify(module)}; console.log(${name}())`;
  const env = { ...process.env, HOLDFAST_PLATFORM: "portable" };
  const args = ["--input-type=module", "-e", code];
  return execFileSync(process.execPath, args, { env, encoding: "utf8" }).trim();
}

/** The code of the SystemError that a call ends with. */
export function codeOf(call: () => unknown): string {
  try {
    call();
  } catch (error) {
    if (error instanceof SystemError) return error.code;
    throw error;
  }
  return "no error";
}

/** Gives every test of the suite a directory of its own: its path, open as `top`, and a way to put files into it. */
export function freshDirectory(platform: Platform) {
  const fresh = {
    root: "",
    top: { fd: -1, path: Buffer.alloc(0) } as Handle,
    put(name: Uint8Array, content: string, mode = 0o644): void {
      const file = platform.createFile(fresh.top, name, mode);
      platform.write(file, Buffer.from(content), 0);
      platform.close(file);
    },
  };
  beforeEach(() => {
    fresh.root = fs.mkdtempSync(join(tmpdir(), "platform-"));
    fresh.top = platform.openDirectory(Buffer.from(fresh.root));
  });
  afterEach(() => {
    platform.close(fresh.top);
    fs.rmSync(fresh.root, { recursive: true, force: true });
  });
  return fresh;
}
