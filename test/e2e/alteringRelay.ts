// A relay that agents are enrolled at instead of the gateway itself: everything passes through it, and answers can be altered on
// the way, as a gateway of another version (or a lying one) would send them.

import { createServer, type Server, request as sendRequest } from "node:https";
import type { AddressInfo } from "node:net";
import { createCertificate } from "../../gateway/certificate.ts";
import { fingerprintOf } from "../../ingest/client/fingerprint.ts";

/** What the agent gets instead of an answer's body; called with the path that was asked for. */
export type Alter = (path: string, body: Buffer) => Buffer;

export class AlteringRelay {
  alter: Alter = (_, body) => body;
  readonly fingerprint: string;
  readonly #server: Server;

  private constructor(server: Server, fingerprint: string) {
    this.#server = server;
    this.fingerprint = fingerprint;
  }

  /** Listens on a free port for a gateway's address. */
  static async open(gatewayUrl: string): Promise<AlteringRelay> {
    const { certificate, key } = await createCertificate("relay", [], new Date());
    const server = createServer({ cert: certificate, key });
    const relay = new AlteringRelay(server, fingerprintOf(certificate));
    server.on("request", (request, response) => {
      const path = request.url as string;
      const { method, headers } = request;
      const options = { method, headers, agent: false as const, rejectUnauthorized: false };
      const onward = sendRequest(new URL(path, gatewayUrl), options, (answer) => {
        const pieces: Buffer[] = [];
        answer.on("data", (piece: Buffer) => pieces.push(piece));
        answer.on("end", () => {
          const body = relay.alter(path, Buffer.concat(pieces));
          const { "transfer-encoding": _, ...kept } = answer.headers;
          response.writeHead(answer.statusCode as number, { ...kept, "content-length": body.length });
          response.end(body);
        });
      });
      // An agent that goes away in the middle is nobody's failure here.
      onward.on("error", () => response.destroy());
      response.on("close", () => onward.destroy());
      request.pipe(onward);
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    return relay;
  }

  get url(): string {
    return `https://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  close(): void {
    this.#server.close();
    this.#server.closeAllConnections();
  }
}
