// JSON schemas that routes share. Ids are checked by form before anything is looked up.

import { namePattern } from "../../ingest/wire/names.ts";
import { limits } from "../../vault/limits.ts";

export const shortId = { type: "string", pattern: "^[0-9a-f]{32}$" } as const;
export const longId = { type: "string", pattern: "^[0-9a-f]{64}$" } as const;
export const name = { type: "string", pattern: namePattern } as const;
export const time = { type: "string" } as const;
export const count = { type: "integer", minimum: 0, maximum: Number.MAX_SAFE_INTEGER } as const;
export const group = { type: "integer", minimum: 0, maximum: 0xffff_ffff } as const;
/** Number of a box. */
export const boxNumber = { type: "integer", minimum: 1, maximum: 0xffff_ffff } as const;
export const flag = { type: "boolean" } as const;
/** base64 of exactly `bytes` bytes. */
export function base64(bytes: number): {
  type: "string";
  minLength: number;
  maxLength: number;
  pattern: string;
} {
  const length = Math.ceil(bytes / 3) * 4;
  return { type: "string", minLength: length, maxLength: length, pattern: "^[A-Za-z0-9+/]+={0,2}$" };
}

/** An object with exactly these members, all of them required unless named in `optional`. */
export function object(
  properties: Record<string, object>,
  optional: readonly string[] = [],
): { type: "object"; properties: Record<string, object>; required: string[]; additionalProperties: false } {
  return {
    type: "object",
    properties,
    required: Object.keys(properties).filter((key) => !optional.includes(key)),
    additionalProperties: false,
  };
}

export function array<T extends object>(items: T): { type: "array"; items: T } {
  return { type: "array", items };
}

/** null or a value of this form. */
export function nullable(schema: { readonly type: string }): object {
  return { ...schema, type: [schema.type, "null"] };
}

/** Members of an object with a vault's secrets. */
export const secrets = {
  s: longId,
  epochs: {
    type: "object",
    maxProperties: limits.epochsMax,
    propertyNames: { pattern: "^[1-9][0-9]{0,9}$" },
    additionalProperties: longId,
  },
  currentEpoch: { type: "integer", minimum: 1, maximum: 0xffff_ffff },
} as const;

/** A device's wraps, by vault. */
export const deviceWraps = {
  type: "object",
  maxProperties: 64,
  propertyNames: shortId,
  additionalProperties: object(
    { generation: count, box: { type: "string", maxLength: 4096 }, proof: base64(32) },
    ["proof"],
  ),
} as const;
export const enrollAnswer = object({ id: shortId, token: { type: "string" }, group, vault: shortId });

/** An open JSON document that the format itself checks. */
export const document = { type: "object", additionalProperties: true } as const;

/** A binary answer, described for OpenAPI only. */
export const binaryAnswer = {
  200: { content: { "application/octet-stream": { schema: { type: "string", format: "binary" } } } },
} as const;
