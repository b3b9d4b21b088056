// The definitions that a gateway sent, and definitions.json in the state directory, where the last known ones stay.

import { join } from "node:path";
import { type DefinedItem, definitionLimits, parseDefinition } from "../../ingest/schedule/itemDefinition.ts";
import { checkName } from "../../ingest/wire/names.ts";
import { wireLimits } from "../../ingest/wire/protocol.ts";
import { HoldfastError } from "../../vault/errors.ts";
import { asArray, asHex, asInteger, asObject, asText, parseJson } from "../../vault/jsonFields.ts";
import { readIfThere, replaceFile } from "../state/durableFile.ts";

export type KnownDefinitions = {
  /** Of the answer that they came with. */
  readonly etag: string | null;
  readonly items: readonly DefinedItem[];
  /** Names of items of which the gateway would like to know what they will hold. */
  readonly estimates: readonly string[];
};

/** An item of an answer that is not understood. `name`: as far as it has one. */
export type NotUnderstood = { readonly name: string | undefined; readonly why: string };

export const noDefinitions: KnownDefinitions = { etag: null, items: [], estimates: [] };

const fileBytesMax = definitionLimits.deviceBytesMax * 2;

/**
 * The items of an answer; each that is not understood is told apart, and does not spoil the others.
 * @throws HoldfastError corrupt, limit-exceeded for what is no such answer at all
 */
export function parseItems(value: unknown): {
  items: DefinedItem[];
  estimates: string[];
  not: NotUnderstood[];
} {
  const rows = asArray(asObject(value, "definitions").items, "items", wireLimits.itemsPerDevice);
  const items = new Map<string, DefinedItem>();
  const estimates: string[] = [];
  const not: NotUnderstood[] = [];
  for (const row of rows) {
    let name: string | undefined;
    try {
      const json = asObject(row, "item");
      name = checkName(asText(json.name, "item name"), "item");
      const revision = asInteger(json.revision, "revision", 1);
      const definition = parseDefinition(json.definition);
      items.set(name, { id: asHex(json.id, "item id", 16), name, revision, definition });
      if (json.estimate === true) estimates.push(name);
    } catch (error) {
      if (!(error instanceof HoldfastError)) throw error;
      not.push({ name, why: error.message });
    }
  }
  return { items: [...items.values()], estimates, not };
}

/** Undefined where there is none that can be read. @throws HoldfastError io-error */
export function readDefinitions(state: string): KnownDefinitions | undefined {
  const text = readIfThere(join(state, "definitions.json"));
  if (text === undefined) return undefined;
  try {
    const json = asObject(parseJson(text, "definitions.json", fileBytesMax), "definitions.json");
    const { items, estimates } = parseItems(json);
    return { etag: json.etag === null ? null : asText(json.etag, "etag"), items, estimates };
  } catch (error) {
    if (error instanceof HoldfastError) return undefined;
    throw error;
  }
}

/** @throws HoldfastError disk-full, io-error */
export function writeDefinitions(state: string, { etag, items, estimates }: KnownDefinitions): void {
  // As the answer has it.
  const rows = items.map((item) => (estimates.includes(item.name) ? { ...item, estimate: true } : item));
  replaceFile(join(state, "definitions.json"), `${JSON.stringify({ etag, items: rows })}\n`);
}

/** The first path that is in none of these folders. No folders: everything is allowed. */
export function pathOutside(paths: readonly string[], folders: readonly string[]): string | undefined {
  if (folders.length === 0) return undefined;
  const whole = (path: string): string => `${path.replaceAll(/\/+/g, "/").replace(/(?:\/\.)*\/*$/, "")}/`;
  const inside = (path: string): boolean => folders.some((folder) => whole(path).startsWith(whole(folder)));
  return paths.find((path) => !inside(path));
}
