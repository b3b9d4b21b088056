// What a scheduler hears from its gateway, and tells it. The gateway may be away for as long as it likes: what is known stays in force.
//
// Invariant: definitions are on the disk before they are obeyed.

import { DefinitionsClient } from "../../ingest/client/definitionsClient.ts";
import type { Line } from "../../ingest/line/line.ts";
import type { DefinedItem } from "../../ingest/schedule/itemDefinition.ts";
import type { EstimateRequest } from "../../ingest/wire/messages.ts";
import { ErrorCode, isHoldfastError } from "../../vault/errors.ts";
import { readEnrollment } from "../state/enrollment.ts";
import {
  noDefinitions,
  parseItems,
  pathOutside,
  readDefinitions,
  writeDefinitions,
} from "./definitionsFile.ts";
import type { ScheduleFile } from "./scheduleFile.ts";

export type LinkPort = {
  /** The state directory. */
  readonly state: string;
  readonly line: Line;
  readonly file: ScheduleFile;
  /** Folders outside of which no definition may name a path; empty: everywhere. */
  readonly onlyBelow: readonly string[];
  readonly now: () => Date;
  readonly tell: (event: string, facts: Readonly<Record<string, unknown>>) => void;
  /** What an item will hold; undefined where that cannot be counted. Never throws. */
  readonly count: (item: DefinedItem, signal: AbortSignal) => Promise<Counted | undefined>;
};

export type Counted = Omit<EstimateRequest, "revision">;

export class GatewayLink {
  readonly #port: LinkPort;
  #known = noDefinitions;
  /** Failure of the last time, so that a gateway that is away for a day is one line. */
  #away: string | undefined;

  /** @throws HoldfastError io-error */
  constructor(port: LinkPort) {
    this.#port = port;
    this.#known = readDefinitions(port.state) ?? noDefinitions;
  }

  /** Those to be obeyed: known, and within the folders of this machine's own choice. */
  items(): DefinedItem[] {
    return this.#known.items.filter(({ definition }) => this.#outside(definition.paths) === undefined);
  }

  #outside(paths: readonly string[]): string | undefined {
    return pathOutside(paths, this.#port.onlyBelow);
  }

  /** Asks for definitions, and tells what is still to be told. True where there are others now. Failures are told and change nothing. */
  async exchange(signal: AbortSignal): Promise<boolean> {
    try {
      // Read each time: a backup may have followed the device's home to another gateway.
      const { gateway, token } = readEnrollment(this.#port.state);
      const client = new DefinitionsClient({ ...gateway, token, line: this.#port.line });
      try {
        const changed = await this.#ask(client, signal);
        await this.#report(client, signal);
        if (this.#away !== undefined) this.#port.tell("gateway-is-back", {});
        this.#away = undefined;
        return changed;
      } finally {
        client.close();
      }
    } catch (error) {
      if (signal.aborted) return false;
      if (!isHoldfastError(error)) throw error;
      const { code, message } = error;
      if (this.#away !== code)
        this.#port.tell("gateway-not-asked", { code, message, items: this.#known.items.length });
      this.#away = code;
      return false;
    }
  }

  async #ask(client: DefinitionsClient, signal: AbortSignal): Promise<boolean> {
    const read = await client.definitions(this.#known.etag, signal);
    if (read === undefined) return false;
    const { items, estimates, not } = parseItems(read.value);
    for (const { name = null, why } of not) this.#port.tell("definition-not-understood", { item: name, why });
    const kept = this.#known.items.filter(({ name }) => not.some((each) => each.name === name));
    const next = { etag: read.etag, items: [...items, ...kept], estimates };
    writeDefinitions(this.#port.state, next);
    const before = new Map(this.#known.items.map((item) => [item.name, item]));
    this.#known = next;
    this.#tellChanges(before);
    return true;
  }

  /** What the gateway changed is said here, where the gateway cannot take it back. */
  #tellChanges(before: ReadonlyMap<string, DefinedItem>): void {
    const { tell, file, now } = this.#port;
    for (const { name, revision, definition } of this.#known.items) {
      const former = before.get(name)?.definition ?? null;
      if (JSON.stringify(former) === JSON.stringify(definition)) continue;
      tell(former === null ? "item-added" : "item-changed", { item: name, revision, definition, former });
      const path = this.#outside(definition.paths);
      if (path === undefined) continue;
      const message = `this machine does not let its gateway have ${path} backed up (--only-below)`;
      tell("item-refused", { item: name, revision, path });
      file.toTell(name, { due: now().toISOString(), outcome: "failed", code: ErrorCode.forbidden, message });
    }
    const names = new Set(this.#known.items.map(({ name }) => name));
    for (const [name, { definition }] of before) {
      if (!names.has(name)) tell("item-removed", { item: name, former: definition });
    }
    file.keepOnly(names);
  }

  /** Counts what items will hold of which the gateway would like to know that, one after the other, and tells it. Failures are told and change nothing. */
  async estimate(signal: AbortSignal): Promise<void> {
    const asked = this.items().filter(({ name }) => this.#known.estimates.includes(name));
    // What a program will write nobody knows.
    for (const item of asked.filter(({ definition }) => definition.program === null)) {
      const counted = await this.#port.count(item, signal);
      if (signal.aborted) return;
      // Once for each answer that asks.
      this.#known = { ...this.#known, estimates: this.#known.estimates.filter((each) => each !== item.name) };
      if (counted === undefined) continue;
      const { gateway, token } = readEnrollment(this.#port.state);
      const client = new DefinitionsClient({ ...gateway, token });
      const facts = { item: item.name, ...counted };
      try {
        await client.estimate(item.name, { revision: item.revision, ...counted }, signal);
        this.#port.tell("estimated", facts);
      } catch (error) {
        if (!isHoldfastError(error)) throw error;
        this.#port.tell("estimate-not-told", { ...facts, code: error.code, message: error.message });
      } finally {
        client.close();
      }
    }
  }

  async #report(client: DefinitionsClient, signal: AbortSignal): Promise<void> {
    for (const [item, report] of this.#port.file.untold()) {
      try {
        await client.report(item, report, signal);
      } catch (error) {
        // It has no definition any more.
        if (!isHoldfastError(error, ErrorCode.notFound)) throw error;
      }
      this.#port.file.told(item, report);
    }
  }
}
