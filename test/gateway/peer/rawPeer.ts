// Requests to the peer routes without our own client, which would not send what a hostile one does.

import { createHash } from "node:crypto";
import { request } from "node:https";
import { objectHashHeader } from "../../../ingest/wire/peer.ts";
import { octetStream } from "../../../ingest/wire/protocol.ts";
import type { TestPeer } from "./peerFixture.ts";

export type Asked = {
  readonly method: string;
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Uint8Array;
  readonly json?: unknown;
  readonly token?: string;
};

/** Members of any answer of the peer routes. */
type Answer = {
  readonly upload: string;
  readonly outcome: string;
  readonly receipts: readonly string[];
  readonly answers: readonly (string | null)[];
  readonly error?: { readonly code: string; readonly detail?: Readonly<Record<string, unknown>> };
};

export type Answered = {
  readonly status: number;
  readonly code: string | undefined;
  readonly json: Partial<Answer>;
  readonly body: Buffer;
};

export function sha256Of(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}

/** Asks as this peer, or with another token. */
export function ask(peer: TestPeer, asked: Asked): Promise<Answered> {
  const { method, path, token = peer.token.token } = asked;
  const body = asked.json === undefined ? asked.body : Buffer.from(JSON.stringify(asked.json));
  const { hostname, port } = new URL(peer.token.url);
  return new Promise((resolve, reject) => {
    const sent = request({
      hostname,
      port,
      method,
      // As it is: node:url would tidy it up.
      path,
      agent: false,
      rejectUnauthorized: false,
      headers: {
        authorization: `Bearer ${token}`,
        ...(body !== undefined && {
          "content-type": asked.json === undefined ? octetStream : "application/json",
          "content-length": String(body.length),
        }),
        ...asked.headers,
      },
    });
    sent.once("error", reject);
    sent.once("response", (response) => {
      const pieces: Buffer[] = [];
      response.on("data", (piece: Buffer) => pieces.push(piece));
      response.once("error", reject);
      response.once("end", () => {
        const bytes = Buffer.concat(pieces);
        const type = String(response.headers["content-type"]);
        const json =
          type.startsWith("application/json") && bytes.length > 0
            ? (JSON.parse(bytes.toString()) as Partial<Answer>)
            : {};
        resolve({ status: response.statusCode ?? 0, code: json.error?.code, json, body: bytes });
      });
    });
    sent.end(body);
  });
}

/** A PUT of an object in one body; headers may be made wrong. */
export function putObject(
  peer: TestPeer,
  key: string,
  bytes: Uint8Array,
  headers: Readonly<Record<string, string>> = {},
): Promise<Answered> {
  return ask(peer, {
    method: "PUT",
    path: `/v1/peer/objects/${key}`,
    body: bytes,
    headers: { "if-none-match": "*", [objectHashHeader]: sha256Of(bytes), ...headers },
  });
}
