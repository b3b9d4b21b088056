// Requests made of a route's own schema, and their answers over a real connection.

import { request as httpRequest, type IncomingMessage, type RequestOptions } from "node:http";
import { type Agent, request as httpsRequest } from "node:https";
import fc from "fast-check";
import { octetStream } from "../../ingest/wire/protocol.ts";
import type { AppRoute } from "./appRoutes.ts";
import { anyValueOf, hostileStrings, type JsonSchema } from "./fromSchema.ts";
import { hostileBytes } from "./hostileBytes.ts";

export type FuzzRequest = {
  readonly method: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  /** In base64, so that a corpus can hold it. */
  readonly body?: string;
};

export type FuzzAnswer = {
  readonly status: number;
  readonly text: string;
  readonly code: string | undefined;
};

export type Where = { readonly agent?: Agent; readonly port?: number; readonly socketPath?: string };

/** Routes that may let a request wait: the event route does for half a minute. */
export const waiting = /^\/v1\/events|^\/v1\/seed\/manifest/;
/** Where nothing came within this time, the answer is undefined: of these routes, and of others, which only a busy machine keeps waiting. */
const waitMs = { waiting: 2500, other: 20_000 };

export function send(
  where: Where,
  { method, path, headers, body }: FuzzRequest,
): Promise<FuzzAnswer | undefined> {
  const bytes = body === undefined ? undefined : Buffer.from(body, "base64");
  const options: RequestOptions & { rejectUnauthorized?: boolean } = {
    method,
    path,
    headers: { ...headers, ...(bytes !== undefined && { "content-length": String(bytes.length) }) },
    signal: AbortSignal.timeout(waiting.test(path) ? waitMs.waiting : waitMs.other),
    ...(where.socketPath === undefined
      ? { agent: where.agent, host: "127.0.0.1", port: where.port, rejectUnauthorized: false }
      : { socketPath: where.socketPath }),
  };
  return new Promise((resolve, reject) => {
    const failed = (error: NodeJS.ErrnoException): void => {
      if (error.name === "AbortError" || error.name === "TimeoutError") resolve(undefined);
      // The gateway may close on who sends what it will not read.
      else if (error.code === "ECONNRESET" || error.code === "EPIPE")
        resolve({ status: 400, text: "", code: "closed" });
      else reject(error);
    };
    const take = (response: IncomingMessage): void => {
      const pieces: Buffer[] = [];
      response.on("data", (piece: Buffer) => pieces.push(piece));
      response.once("error", failed);
      response.once("end", () => {
        const text = Buffer.concat(pieces).toString("latin1");
        resolve({ status: response.statusCode ?? 0, text, code: /"code":"([a-z-]+)"/.exec(text)?.[1] });
      });
    };
    const sent = where.socketPath === undefined ? httpsRequest(options, take) : httpRequest(options, take);
    sent.once("error", failed);
    sent.end(bytes);
  });
}

function percent(text: string): string {
  return Array.from(Buffer.from(text), (byte) =>
    /[A-Za-z0-9._~-]/.test(String.fromCharCode(byte))
      ? String.fromCharCode(byte)
      : `%${byte.toString(16).padStart(2, "0")}`,
  ).join("");
}

const asText = (value: unknown): string =>
  typeof value === "string" ? value : (JSON.stringify(value) ?? "");

function pathOf(route: AppRoute, known: readonly string[]): fc.Arbitrary<string> {
  const parts = route.url.split("/").map((part): fc.Arbitrary<string> => {
    if (!part.startsWith(":") && part !== "*") return fc.constant(part);
    const schema = route.schema.params?.properties?.[part.replace(":", "")] ?? { type: "string" };
    const whole = anyValueOf(schema, known).map((value) => percent(asText(value)));
    return part === "*" ? fc.array(whole, { minLength: 1, maxLength: 4 }).map((all) => all.join("/")) : whole;
  });
  return fc
    .tuple(fc.tuple(...parts), queryOf(route.schema.querystring, known))
    .map(([all, query]) => all.join("/") + query);
}

function queryOf(schema: JsonSchema | undefined, known: readonly string[]): fc.Arbitrary<string> {
  const names = Object.entries(schema?.properties ?? {});
  const pairs = names.map(([name, member]) =>
    fc.option(
      anyValueOf(member, known).map((value) => `${name}=${percent(asText(value))}`),
      { nil: undefined, freq: 5 },
    ),
  );
  const odd = fc.constantFrom(
    "",
    "",
    "",
    "x=1",
    "__proto__=1",
    "=",
    "&&",
    "a[]=1",
    `${names[0]?.[0] ?? "n"}=1&${names[0]?.[0] ?? "n"}=2`,
  );
  return fc.tuple(fc.tuple(...pairs), odd).map(([all, more]) => {
    const text = [...all.filter((pair) => pair !== undefined), more].filter((pair) => pair !== "").join("&");
    return text === "" ? "" : `?${text}`;
  });
}

const jsonType = "application/json";

function bodyOf(
  route: AppRoute,
  known: readonly string[],
  seeds: readonly Buffer[],
): fc.Arbitrary<{ type: string; body: Buffer } | undefined> {
  const json = anyValueOf(route.schema.body ?? {}, known).map((value) =>
    Buffer.from(JSON.stringify(value) ?? "null"),
  );
  const binary = hostileBytes(seeds);
  const broken = fc
    .constantFrom(
      "",
      "{",
      '{"a":',
      "\ufeff{}",
      '{"a":1}}',
      "[".repeat(50_000),
      '"\\ud800"',
      "nul",
      '{"a":1,"a":2}',
    )
    .map((text) => Buffer.from(text));
  const notText = fc.constant(Buffer.from([0x7b, 0x22, 0xff, 0xfe, 0x22, 0x3a, 0x31, 0x7d]));
  const isJson = route.schema.body !== undefined;
  const [usual, other] = isJson ? [json, binary] : [binary, json];
  const types = fc.constantFrom(
    jsonType,
    octetStream,
    "",
    "text/plain",
    "application/json; charset=utf-16",
    "multipart/form-data; boundary=x",
    "application/xml",
  );
  const right = usual.map((body) => ({ type: isJson ? jsonType : octetStream, body }));
  const wrong = fc
    .tuple(types, fc.oneof(usual, other, broken, notText))
    .map(([type, body]) => ({ type, body }));
  const none = fc.constant(undefined);
  const hasBody = route.method !== "GET" && route.method !== "HEAD";
  return hasBody
    ? fc.oneof(
        { weight: 7, arbitrary: right },
        { weight: 3, arbitrary: wrong },
        { weight: 1, arbitrary: none },
      )
    : fc.oneof({ weight: 9, arbitrary: none }, { weight: 1, arbitrary: wrong });
}

const oddHeaders: fc.Arbitrary<Record<string, string>> = fc.oneof(
  { weight: 6, arbitrary: fc.constant({}) },
  {
    weight: 1,
    arbitrary: fc.constantFrom<Record<string, string>>(
      { range: "bytes=0-" },
      { range: "bytes=-1" },
      { range: `bytes=${"9".repeat(30)}-` },
      { range: "bytes=5-1, 2-3" },
      { "if-none-match": "*" },
      { "holdfast-protocol": "2" },
      { "holdfast-protocol": "x".repeat(5000) },
      { "holdfast-sha256": "ab".repeat(32) },
      { "holdfast-heal": "1" },
      { "content-encoding": "gzip" },
      { "x-forwarded-for": "127.0.0.1", forwarded: "for=127.0.0.1" },
      { "x-long": "y".repeat(12_000) },
      { connection: "upgrade", upgrade: "holdfast-records/1" },
      { connection: "upgrade", upgrade: "websocket" },
      { expect: "100-continue" },
      { "x-http-method-override": "DELETE" },
    ),
  },
);

export type Making = {
  /** Ids and names that exist, of whomever. */
  readonly known: readonly string[];
  /** Sound binary bodies. */
  readonly seeds: readonly Buffer[];
  /** `Authorization` headers: the one that opens this route, and others. */
  readonly right: string | undefined;
  readonly others: readonly (string | undefined)[];
};

/** Requests for a route: mostly ones that reach its handler. */
export function requestsOf(
  route: AppRoute,
  { known, seeds, right, others }: Making,
): fc.Arbitrary<FuzzRequest> {
  const auth = fc.oneof(
    { weight: 6, arbitrary: fc.constant(right) },
    { weight: 2, arbitrary: fc.constantFrom(...others) },
    { weight: 1, arbitrary: fc.constantFrom(...hostileStrings).map((text) => `Bearer ${percent(text)}`) },
  );
  const method = fc.oneof(
    { weight: 12, arbitrary: fc.constant(route.method) },
    {
      weight: 1,
      arbitrary: fc.constantFrom(
        "GET",
        "HEAD",
        "POST",
        "PUT",
        "DELETE",
        "PATCH",
        "OPTIONS",
        "TRACE",
        "PROPFIND",
        "QUERY",
      ),
    },
  );
  return fc
    .record({ auth, method, path: pathOf(route, known), sent: bodyOf(route, known, seeds), odd: oddHeaders })
    .map(({ auth, method, path, sent, odd }) => ({
      method,
      path,
      headers: {
        ...odd,
        ...(auth !== undefined && { authorization: auth }),
        ...(sent !== undefined && sent.type !== "" && { "content-type": sent.type }),
      },
      ...(sent !== undefined && { body: sent.body.toString("base64") }),
    }));
}
