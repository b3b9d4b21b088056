// Directory pages of the previous snapshot, fetched from the gateway and opened.

import { ErrorCode, HoldfastError } from "../../vault/errors.ts";
import type { VaultKeys } from "../../vault/keys/vaultKeys.ts";
import { RecordType } from "../../vault/magic.ts";
import { openRecord } from "../../vault/record.ts";
import type { PageFetcher } from "../source/previousTree.ts";

export type PageSource = {
  readonly keys: VaultKeys;
  readonly group: number;
  /** Sealed records by id; undefined for those that the gateway has not. */
  readonly read: (ids: readonly Uint8Array[]) => Promise<(Buffer | undefined)[]>;
};

/** Fails with chunk-missing where a page is not there, and with what openRecord says where one is not right. */
export function previousPages({ keys, group, read }: PageSource): PageFetcher {
  return {
    fetch: async (ids) => {
      const records = await read(ids);
      return ids.map((expectedId, index) => {
        const record = records[index];
        if (record === undefined) {
          throw new HoldfastError(
            ErrorCode.chunkMissing,
            "a page of the previous snapshot is not at the gateway",
          );
        }
        return openRecord({ keys, group, record, expectedId, expectedType: RecordType.directory });
      });
    },
  };
}
