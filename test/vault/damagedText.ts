// Documents as disks and strangers leave them: for the fuzz tests of what reads them.

import fc from "fast-check";

/** Values that a member of a document may have instead of its own. */
const strange = fc.oneof(
  fc.constantFrom<unknown>(null, true, -1, 0, 0.5, 1e300, 2 ** 53, "", "__proto__", [], {}, [[]]),
  fc.jsonValue(),
);

/** A JSON document with one or more members gone or exchanged for something else, at any depth. */
export function damagedJson(document: unknown): fc.Arbitrary<string> {
  const paths = pathsOf(document);
  const damage = fc.record({ at: fc.nat(paths.length - 1), value: fc.option(strange, { nil: undefined }) });
  return fc.array(damage, { minLength: 1, maxLength: 3 }).map((damages) => {
    let result = document;
    for (const { at, value } of damages) result = exchanged(result, paths[at] as string[], value);
    return JSON.stringify(result) ?? "";
  });
}

/** A text with bytes flipped, cut out or put in, or its end gone; also what is no text at all. */
export function damagedBytes(text: string): fc.Arbitrary<Buffer> {
  const bytes = Buffer.from(text);
  const edit = fc.record({ at: fc.nat(bytes.length), gone: fc.nat(3), put: fc.uint8Array({ maxLength: 3 }) });
  return fc.oneof(
    fc.uint8Array({ maxLength: 600 }).map((any) => Buffer.from(any)),
    fc.nat(bytes.length).map((length) => bytes.subarray(0, length)),
    fc
      .array(edit, { minLength: 1, maxLength: 4 })
      .map((edits) =>
        edits.reduce<Buffer>(
          (all, { at, gone, put }) => Buffer.concat([all.subarray(0, at), put, all.subarray(at + gone)]),
          bytes,
        ),
      ),
  );
}

/** The paths of all members, the document itself first. */
function pathsOf(value: unknown, path: readonly string[] = []): (readonly string[])[] {
  if (typeof value !== "object" || value === null) return [path];
  return [path, ...Object.entries(value).flatMap(([name, member]) => pathsOf(member, [...path, name]))];
}

/** A copy with another value at a path; without the member where it is undefined. */
function exchanged(value: unknown, path: readonly string[], other: unknown): unknown {
  const [name, ...rest] = path;
  if (name === undefined) return other;
  if (typeof value !== "object" || value === null || Array.isArray(value)) return value;
  const members = new Map(Object.entries(value));
  members.set(name, exchanged(members.get(name), rest, other));
  return Object.fromEntries(members);
}
