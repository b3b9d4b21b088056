// The view's records over HTTPS.

import type { RecordResult, RecordSource } from "../../fs/view/ports.ts";
import type { GatewayClient } from "../../ingest/client/gatewayClient.ts";

export class GatewayRecordSource implements RecordSource {
  readonly #client: GatewayClient;

  constructor(client: GatewayClient) {
    this.#client = client;
  }

  async read(
    vaultId: string,
    group: number,
    ids: readonly Uint8Array[],
    signal?: AbortSignal,
  ): Promise<readonly RecordResult[]> {
    return await this.#client.readAll(vaultId, group, ids, signal);
  }

  async readEach(
    vaultId: string,
    group: number,
    ids: readonly Uint8Array[],
    take: (index: number, result: RecordResult) => void,
    signal?: AbortSignal,
  ): Promise<void> {
    // One by itself has no others to wait for, and comes with less work so.
    if (ids.length === 1) {
      const [only] = await this.read(vaultId, group, ids, signal);
      if (only !== undefined) take(0, only);
      return;
    }
    let index = 0;
    for await (const result of this.#client.read(vaultId, group, ids, signal)) take(index++, result);
  }
}
