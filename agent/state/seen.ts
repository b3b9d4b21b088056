// The newest state of the gateway that this machine saw: the sequence of each item, the generation of each keys
// document, and which escrow keys open it. A gateway that later shows less was rolled back. Kept apart from the cache, which may be deleted at any time.

import { join } from "node:path";
import { ErrorCode, HoldfastError } from "../../vault/errors.ts";
import { asArray, asInteger, asObject, asText, parseJson } from "../../vault/jsonFields.ts";
import type { EscrowHolder } from "../../vault/keys/wraps.ts";
import { limits } from "../../vault/limits.ts";
import { readIfThere, replaceFile } from "./durableFile.ts";

function parseNumbers(value: unknown, what: string): Map<string, number> {
  if (value === undefined) return new Map();
  return new Map(
    Object.entries(asObject(value, what)).map(([name, number]) => [name, asInteger(number, what, 0)]),
  );
}

function parseEscrows(value: unknown): Map<string, readonly EscrowHolder[]> {
  if (value === undefined) return new Map();
  const rows = Object.entries(asObject(value, "escrows"));
  return new Map(
    rows.map(([vault, list]) => [
      vault,
      asArray(list, "escrows of a vault", limits.escrowsMax).map((row) => {
        const { label, public: key, since } = asObject(row, "an escrow");
        return {
          label: asText(label, "label"),
          public: asText(key, "public"),
          since: asText(since, "since"),
        };
      }),
    ]),
  );
}

export class Seen {
  readonly #path: string;
  readonly #sequences: Map<string, number>;
  readonly #generations: Map<string, number>;
  readonly #escrows: Map<string, readonly EscrowHolder[]>;

  /** @throws HoldfastError data-dir-invalid when the file is damaged */
  constructor(state: string) {
    this.#path = join(state, "seen.json");
    try {
      const json = asObject(parseJson(readIfThere(this.#path) ?? "{}", "seen.json"), "seen.json");
      this.#sequences = parseNumbers(json.sequences, "sequences");
      this.#generations = parseNumbers(json.generations, "generations");
      this.#escrows = parseEscrows(json.escrows);
    } catch (error) {
      throw new HoldfastError(ErrorCode.dataDirInvalid, `${this.#path} is damaged`, {
        next: "Remove it if you are sure that the gateway was not rolled back.",
        cause: error,
      });
    }
  }

  /** The highest sequence of an item (by name) that was seen, 0 for none. */
  sequence(item: string): number {
    return this.#sequences.get(item) ?? 0;
  }

  /** The highest generation of a vault's keys document that was seen, 0 for none. */
  generation(vault: string): number {
    return this.#generations.get(vault) ?? 0;
  }

  noteSequence(item: string, sequence: number): void {
    if (sequence <= this.sequence(item)) return;
    this.#sequences.set(item, sequence);
    this.#write();
  }

  noteGeneration(vault: string, generation: number): void {
    if (generation <= this.generation(vault)) return;
    this.#generations.set(vault, generation);
    this.#write();
  }

  /** Notes which escrow keys open a vault's keys, and answers what is new of that. */
  noteEscrows(
    vault: string,
    escrows: readonly EscrowHolder[],
  ): { added: EscrowHolder[]; removed: EscrowHolder[] } {
    const before = this.#escrows.get(vault) ?? [];
    const missingIn = (list: readonly EscrowHolder[]) => (holder: EscrowHolder) =>
      !list.some((each) => each.public === holder.public && each.label === holder.label);
    const added = escrows.filter(missingIn(before));
    const removed = before.filter(missingIn(escrows));
    if (added.length + removed.length > 0) {
      this.#escrows.set(vault, [...escrows]);
      this.#write();
    }
    return { added, removed };
  }

  /** Takes the gateway as it is now: its owner says that an older state is meant, after a disaster say. */
  forget(): void {
    this.#sequences.clear();
    this.#generations.clear();
    this.#write();
  }

  #write(): void {
    const json = {
      sequences: Object.fromEntries(this.#sequences),
      generations: Object.fromEntries(this.#generations),
      ...(this.#escrows.size > 0 && { escrows: Object.fromEntries(this.#escrows) }),
    };
    replaceFile(this.#path, `${JSON.stringify(json, null, 1)}\n`);
  }
}
