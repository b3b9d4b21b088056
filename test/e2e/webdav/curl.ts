// curl as a client of WebDAV: the certificate pinned, the password in a file of options that only its owner may read.

import { join } from "node:path";
import { clientDone } from "./clientProgram.ts";
import { type DavSite, secretFile } from "./davSite.ts";

export type CurlAnswer = {
  readonly status: number;
  /** Names in lower case. */
  readonly headers: ReadonlyMap<string, string>;
  readonly body: Buffer;
};

/** Files of options so far. */
let made = 0;

export type Curl = (path: string, ...words: string[]) => Promise<CurlAnswer>;

/** curl for a site; a path begins with "/" and is sent as it is. `password`: another one, or null for none. */
export function curlOf(site: DavSite, password: string | null = site.appPassword, user = site.user): Curl {
  const login = password === null ? "" : `user = "${user}:${password}"\n`;
  const options = secretFile(
    join(site.folder, `curl-${made++}`),
    `${login}cacert = "${site.certificate}"\nsilent\nshow-error\npath-as-is\ngloboff\n`,
  );
  return async (path, ...words) => {
    const args = ["--config", options, "--include", "--max-time", "60", ...words, `${site.url}${path}`];
    return parseAnswer(await clientDone("curl", args));
  };
}

/** The last answer of what curl --include printed: those before it are "100 Continue". */
function parseAnswer(printed: Buffer): CurlAnswer {
  let rest = printed;
  for (;;) {
    const end = rest.indexOf("\r\n\r\n");
    const head = rest.subarray(0, end).toString("latin1").split("\r\n");
    const status = Number(/^HTTP\/\S+ (\d+)/.exec(head[0] ?? "")?.[1]);
    rest = rest.subarray(end + 4);
    if (status >= 200) {
      const headers = head.slice(1).map((line): [string, string] => {
        const colon = line.indexOf(":");
        return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()];
      });
      return { status, headers: new Map(headers), body: rest };
    }
    if (end < 0) throw new Error(`curl printed no answer: ${printed.toString("latin1").slice(0, 500)}`);
  }
}
