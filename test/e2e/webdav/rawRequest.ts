// One request with a target exactly as it is written, past every client that would tidy it up.

import { connect } from "node:tls";
import type { DavSite } from "./davSite.ts";

export type RawAnswer = {
  readonly status: number;
  /** Header lines and body, a character per byte. */
  readonly text: string;
};

/** `headers`: whole lines. */
export function rawRequest(
  site: Pick<DavSite, "url">,
  line: string,
  headers: readonly string[] = [],
): Promise<RawAnswer> {
  const { hostname, port, host } = new URL(site.url);
  const { promise, resolve, reject } = Promise.withResolvers<RawAnswer>();
  const socket = connect({ host: hostname, port: Number(port), rejectUnauthorized: false });
  const pieces: Buffer[] = [];
  socket.on("data", (piece: Buffer) => pieces.push(piece));
  socket.once("error", reject);
  socket.once("close", () => {
    const text = Buffer.concat(pieces).toString("latin1");
    resolve({ status: Number(/^HTTP\/1\.1 (\d{3})/.exec(text)?.[1] ?? 0), text });
  });
  socket.once("secureConnect", () => {
    const lines = [`${line} HTTP/1.1`, `Host: ${host}`, "Connection: close", ...headers, "", ""];
    socket.write(Buffer.from(lines.join("\r\n"), "latin1"));
  });
  return promise;
}

/** The header that logs in. */
export function basic(user: string, password: string): string {
  return `Authorization: Basic ${Buffer.from(`${user}:${password}`).toString("base64")}`;
}
