// A small HTTPS server that speaks the peer routes and lies as it is told to.

import { createServer, type Server } from "node:https";
import type { AddressInfo } from "node:net";
import { createCertificate } from "../../../gateway/certificate.ts";
import { fingerprintOf } from "../../../ingest/client/fingerprint.ts";
import { ReceiptSigner } from "../../../vault/replica/receipt.ts";
import { seededBytes } from "../../vault/seeded.ts";
import type { TestPeer } from "./peerFixture.ts";

export type LyingAnswer = {
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly json?: unknown;
  readonly body?: Uint8Array;
  /** Cuts the connection after so many bytes of the body. */
  readonly cutAfter?: number;
};

/** What it answers; `body` is the request's. */
export type Lie = (method: string, path: string, body: Buffer) => LyingAnswer | Promise<LyingAnswer>;

export class LyingPeer {
  readonly signer = new ReceiptSigner(seededBytes("lying peer", 32));
  readonly #server: Server;
  readonly #fingerprint: string;
  lie: Lie = () => ({ status: 500, json: {} });

  private constructor(server: Server, fingerprint: string) {
    this.#server = server;
    this.#fingerprint = fingerprint;
  }

  static async start(): Promise<LyingPeer> {
    const { certificate, key } = await createCertificate("lying", ["127.0.0.1"], new Date());
    const server = createServer({ cert: certificate, key });
    const peer = new LyingPeer(server, fingerprintOf(certificate));
    server.on("request", (request, response) => {
      const pieces: Buffer[] = [];
      request.on("error", () => {});
      request.on("data", (piece: Buffer) => pieces.push(piece));
      request.on("end", async () => {
        const answer = await peer.lie(request.method ?? "", request.url ?? "", Buffer.concat(pieces));
        const body = Buffer.from(
          answer.body ?? (answer.json === undefined ? "" : JSON.stringify(answer.json)),
        );
        const type = answer.json === undefined ? "application/octet-stream" : "application/json";
        response.writeHead(answer.status ?? 200, {
          "content-type": type,
          ...(request.method !== "HEAD" && { "content-length": String(body.length) }),
          ...answer.headers,
        });
        if (answer.cutAfter === undefined) return response.end(body);
        return response.write(body.subarray(0, answer.cutAfter), () => response.destroy());
      });
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    return peer;
  }

  /** As a token file names it. */
  get peer(): TestPeer {
    const { port } = this.#server.address() as AddressInfo;
    return {
      id: "",
      token: {
        url: `https://127.0.0.1:${port}`,
        fingerprint: this.#fingerprint,
        name: "box",
        token: `hfr_${"A".repeat(43)}`,
        signer: this.signer.publicKey,
      },
    };
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}
