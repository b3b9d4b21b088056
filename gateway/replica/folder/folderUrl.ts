// file:///PATH, the address of a replica in a folder.

import { fileURLToPath } from "node:url";
import { ErrorCode, HoldfastError } from "../../../vault/errors.ts";

/** The folder of a URL, an absolute path. @throws HoldfastError usage */
export function folderOfUrl(url: string): string {
  try {
    const { search, hash } = new URL(url);
    if (search !== "" || hash !== "") throw new Error("it has more than a path");
    const path = fileURLToPath(url);
    if (path === "/" || path.includes("\0")) throw new Error("it names no folder");
    return path.replace(/\/+$/, "");
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new HoldfastError(ErrorCode.usage, `not the address of a folder: ${url}: ${why}`, {
      next: "Write file:///PATH, with an absolute path; spaces as %20.",
      cause,
    });
  }
}
