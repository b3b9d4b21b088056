// Checksums that the store compares: Content-MD5, and the SHA-256 that the signature covers.

import type { Body } from "./bodies.ts";

/** The value of Content-MD5. */
export function md5Text({ md5 }: Pick<Body, "md5">): string {
  return md5.toString("base64");
}

/** The ETag without its quotes; empty where there is none. */
export function plainETag(etag: string | undefined): string {
  return (etag ?? "").replace(/^"|"$/g, "").toLowerCase();
}

/** What a middleware of the SDK is given. */
type Given = { readonly request?: unknown };
type Next = (given: Given) => Promise<unknown>;

/** The middleware stack of a command, as far as it is used here. */
type Stacked = {
  readonly middlewareStack: {
    add(middleware: never, options: { readonly step: "build"; readonly name: string }): void;
  };
};

/** Adds headers to a command before it is signed. */
export function withHeaders(command: Stacked, headers: Readonly<Record<string, string>>): void {
  const middleware = (next: Next) => (given: Given) => {
    Object.assign((given.request as { headers: Record<string, string> }).headers, headers);
    return next(given);
  };
  command.middlewareStack.add(middleware as never, { step: "build", name: "holdfastHeaders" });
}

/** Signs a command with the SHA-256 of its body, which is not in the SDK's hands: servers compare it with what they get. */
export function signedHash(command: Stacked, { sha256 }: Pick<Body, "sha256">): void {
  withHeaders(command, { "x-amz-content-sha256": sha256.toString("hex") });
}
