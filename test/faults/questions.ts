// What a gateway has of a device, asked with the device's own token: snapshots that are listed, records that are there.

import { readEnrollment } from "../../agent/state/enrollment.ts";
import { GatewayClient } from "../../ingest/client/gatewayClient.ts";
import { bitAt } from "../../ingest/wire/bitmap.ts";

const perRequest = 10_000;

export class Questions {
  readonly #state: string;
  readonly #gateway: { readonly url: string; readonly fingerprint: string } | undefined;

  /** `state`: of the agent. `gateway`: another one than that at which it was enrolled. */
  constructor(state: string, gateway?: { readonly url: string; readonly fingerprint: string }) {
    this.#state = state;
    this.#gateway = gateway;
  }

  /** Ids of all snapshots, newest first. */
  snapshots(): Promise<string[]> {
    return this.#ask(async (client) => (await client.snapshots()).map(({ id }) => id));
  }

  /** Ids of those that are whole, newest first. */
  wholeSnapshots(): Promise<string[]> {
    return this.#ask(async (client) => {
      const rows = await client.snapshots();
      return rows.filter(({ pending }) => pending === undefined).map(({ id }) => id);
    });
  }

  /** Which of these records the gateway does not have. */
  absent(ids: Iterable<string>): Promise<string[]> {
    const { vault, device } = readEnrollment(this.#state);
    return this.#ask(async (client) => {
      const all = [...ids];
      const absent: string[] = [];
      for (let from = 0; from < all.length; from += perRequest) {
        const part = all.slice(from, from + perRequest);
        const bytes = part.map((id) => Buffer.from(id, "hex"));
        const there = await client.exists(vault, device.group, bytes);
        absent.push(...part.filter((_, index) => !bitAt(there, index)));
      }
      return absent;
    });
  }

  async #ask<T>(question: (client: GatewayClient) => Promise<T>): Promise<T> {
    const { gateway, token } = readEnrollment(this.#state);
    const client = new GatewayClient({ ...(this.#gateway ?? gateway), token });
    try {
      return await question(client);
    } finally {
      client.close();
    }
  }
}
