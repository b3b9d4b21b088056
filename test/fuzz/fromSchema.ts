// Values for a JSON schema: what it asks for, what lies at its edges, and what it must refuse.

import fc from "fast-check";
import { namePattern } from "../../ingest/wire/names.ts";

export type JsonSchema = {
  readonly type?: string | readonly string[];
  readonly const?: unknown;
  readonly enum?: readonly unknown[];
  readonly properties?: Readonly<Record<string, JsonSchema>>;
  readonly additionalProperties?: boolean | JsonSchema;
  readonly propertyNames?: JsonSchema;
  readonly items?: JsonSchema;
  readonly maxItems?: number;
  readonly pattern?: string;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly minLength?: number;
  readonly maxLength?: number;
  readonly anyOf?: readonly JsonSchema[];
  readonly oneOf?: readonly JsonSchema[];
};

/** Strings that have been somebody's undoing. None is a path of a place that exists or could be made. */
export const hostileStrings = [
  "",
  " ",
  "__proto__",
  "constructor",
  "toString",
  "../../../../dev/null/x",
  "/dev/null/x",
  "..%2f..%2fetc%2fpasswd",
  "a\0b",
  "\ud800",
  "\u202Eabc",
  "%",
  "%00",
  "{{7*7}}",
  "' OR 1=1 --",
  "<script>",
  "\r\nX-Injected: 1",
  "NaN",
  "-0",
  "1e400",
  "9".repeat(40),
  "x".repeat(300),
  "é".normalize("NFD"),
] as const;

/**
 * For members that name places: nothing is there, and nothing can be made there. The gateway under test may be root's, and would make or
 * remove what it is told to.
 */
const placeMembers =
  /^(directory|path|file|disk|disks|source|sources|need|mountpoint|urls?|datacentreUrls|to|listen)$/;
const places = [
  "/dev/null/x",
  "/dev/null/../null/x",
  "/dev/null/a\0b",
  "/dev/null/\ud800",
  "file:///dev/null/x",
  "nowhere:x",
  "s3://",
  "",
  "https://[",
];

/** What no schema here asks for. */
export const hostileValues: fc.Arbitrary<unknown> = fc.oneof(
  fc.constantFrom<unknown>(
    null,
    true,
    [],
    {},
    [[]],
    -1,
    0.5,
    1e300,
    -1e-300,
    2 ** 53,
    2 ** 31,
    2 ** 32,
    2 ** 64,
  ),
  fc.constantFrom<unknown>(...hostileStrings),
  fc.constantFrom(10, 900).map((depth) => JSON.parse("[".repeat(depth) + "]".repeat(depth)) as unknown),
  fc.jsonValue({ maxDepth: 2 }),
);

/** `known`: ids and names that exist, of whomever. */
export function anyValueOf(schema: JsonSchema, known: readonly string[]): fc.Arbitrary<unknown> {
  return fc.oneof(
    { weight: 7, arbitrary: rightValue(schema, known) },
    { weight: 1, arbitrary: hostileValues },
  );
}

function rightValue(schema: JsonSchema, known: readonly string[]): fc.Arbitrary<unknown> {
  if (schema.const !== undefined) return fc.constant(schema.const);
  if (schema.enum !== undefined) return fc.constantFrom(...schema.enum);
  const alternatives = schema.anyOf ?? schema.oneOf;
  if (alternatives !== undefined) return fc.oneof(...alternatives.map((each) => anyValueOf(each, known)));
  const [type, ...others] = [schema.type ?? (schema.properties === undefined ? "string" : "object")].flat();
  if (others.length > 0)
    return fc.oneof(
      ...[type, ...others].map((each) => rightValue({ ...schema, type: each ?? "null" }, known)),
    );
  if (type === "object") return objectOf(schema, known);
  if (type === "array") return fc.array(anyValueOf(schema.items ?? {}, known), { maxLength: 4 });
  if (type === "integer" || type === "number") return numberOf(schema);
  if (type === "boolean") return fc.boolean();
  if (type === "null") return fc.constant(null);
  return stringOf(schema, known);
}

function objectOf(schema: JsonSchema, known: readonly string[]): fc.Arbitrary<unknown> {
  const members = Object.entries(schema.properties ?? {}).map(
    ([name, member]) =>
      [name, fc.option(memberOf(name, member, known), { nil: undefined, freq: 12 })] as const,
  );
  const more = schema.additionalProperties;
  const others =
    typeof more === "object"
      ? fc.dictionary(stringOf(schema.propertyNames ?? {}, known), anyValueOf(more, known), { maxKeys: 3 })
      : fc.constantFrom<Record<string, unknown>>(
          {},
          {},
          {},
          {},
          { more: 1 },
          JSON.parse('{"__proto__":{"x":1}}'),
        );
  // Not with fc.record: a member named `__proto__` stays one.
  return fc
    .tuple(fc.tuple(...members.map(([, value]) => value)), others)
    .map(([values, rest]) =>
      Object.fromEntries([...members.map(([name], i) => [name, values[i]]), ...Object.entries(rest)]),
    );
}

function memberOf(name: string, schema: JsonSchema, known: readonly string[]): fc.Arbitrary<unknown> {
  if (!placeMembers.test(name)) return anyValueOf(schema, known);
  const place = fc.constantFrom(...places);
  if (schema.type === "array") return fc.array(place, { maxLength: 3 });
  if (schema.type === "object") return anyValueOf(schema, known);
  return fc.oneof(
    { weight: 9, arbitrary: place },
    { weight: 1, arbitrary: fc.constantFrom(null, 1, [], {}) },
  );
}

function numberOf({ minimum = 0, maximum = Number.MAX_SAFE_INTEGER }: JsonSchema): fc.Arbitrary<number> {
  return fc.oneof(fc.constantFrom(minimum, maximum, minimum - 1, maximum + 1, 1), fc.integer());
}

const isId = /^[0-9a-f]{32,}$/;

function stringOf(
  { pattern, minLength = 0, maxLength }: JsonSchema,
  known: readonly string[],
): fc.Arbitrary<string> {
  // Where anything goes, only names: an id would become one, and be shown later.
  const form = pattern === undefined ? /^[a-z-]+$/ : new RegExp(pattern, "u");
  const fitting = known.filter((each) => form.test(each) && !(pattern === namePattern && isId.test(each)));
  const choices: fc.Arbitrary<string>[] = [fc.constantFrom(...hostileStrings), fc.string({ maxLength: 20 })];
  if (fitting.length > 0) choices.push(fc.constantFrom(...fitting), fc.constantFrom(...fitting));
  if (pattern !== undefined) {
    choices.push(fc.stringMatching(new RegExp(pattern, "u")));
    if (minLength > 0) choices.push(fc.uint8Array({ minLength, maxLength: minLength }).map(asBase64Of));
  }
  if (maxLength !== undefined && maxLength <= 10_000)
    choices.push(fc.constantFrom("y".repeat(maxLength), "y".repeat(maxLength + 1)));
  return fc.oneof(...choices);
}

/** Base64 of as many characters as there are bytes. */
function asBase64Of(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("base64").slice(0, bytes.length);
}
