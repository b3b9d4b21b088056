// litmus, the test suite that WebDAV servers are held to, against one that changes nothing.
//
// It wants to make the folder it works in and stops where it may not. So a relay stands between the two that answers "made" to
// exactly that one request and to the one that clears up before it; the folder is there, in the snapshot, and every other request
// reaches the gateway and is answered by it.

import { createServer, type Server } from "node:http";
import { request as sendRequest } from "node:https";
import type { AddressInfo } from "node:net";
import { clientDone } from "./clientProgram.ts";
import type { DavSite } from "./davSite.ts";

export class LitmusRelay {
  readonly #server: Server;

  private constructor(server: Server) {
    this.#server = server;
  }

  /** Listens on a free port, without TLS, for the gateway at `target`; `folder` is the path that litmus wants to make. */
  static async open(target: string, folder: string): Promise<LitmusRelay> {
    const server = createServer((request, response) => {
      const { method, url: path = "/", headers } = request;
      if (path === folder && (method === "MKCOL" || method === "DELETE")) {
        request.resume();
        response.writeHead(method === "MKCOL" ? 201 : 404).end();
        return;
      }
      const options = { method, headers, agent: false as const, rejectUnauthorized: false, path };
      const onward = sendRequest(target, options, (answer) => {
        response.writeHead(answer.statusCode as number, answer.headers);
        answer.pipe(response);
      });
      onward.on("error", () => response.destroy());
      request.pipe(onward);
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    return new LitmusRelay(server);
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  close(): void {
    this.#server.close();
    this.#server.closeAllConnections();
  }
}

/** Results by test, in litmus's own words: "pass", "FAIL", "WARNING" (passed, but), "SKIPPED". */
export type LitmusResults = Readonly<Record<string, string>>;

/** Runs one of litmus's suites. */
export async function runLitmus(site: DavSite, suite: string): Promise<LitmusResults> {
  const relay = await LitmusRelay.open(site.url, `${site.tree}litmus/`);
  try {
    const printed = await clientDone(
      "litmus",
      ["--keep-going", `${relay.url}${site.tree}`, site.user, site.appPassword],
      { env: { TESTS: suite }, folder: site.folder },
    );
    const results: Record<string, string> = {};
    // Lines before the one with the result end in a carriage return.
    for (const [, name = "", result = ""] of printed
      .toString()
      .matchAll(/^ *\d+\. (\w+)\.+ (pass|FAIL|WARNING|SKIPPED)/gm)) {
      results[name] = result;
    }
    return results;
  } finally {
    relay.close();
  }
}
