// The content of one file as workers read it by itself: its chunks are handed on, its extents written.

import type { EmitPage } from "../../vault/tree/directoryWriter.ts";
import { ExtentsWriter, type WrittenExtents } from "../../vault/tree/extentsWriter.ts";
import type { Place } from "../backup/messages.ts";
import type { FileParts } from "../backup/workerPool.ts";

export type ContentParts = {
  readonly parts: FileParts;
  /** To be called once, after the last part. */
  readonly finish: () => WrittenExtents;
};

/** @param offer takes over a chunk whose plaintext is at a place */
export function contentParts(offer: (id: Buffer, place: Place) => void, emitExtents: EmitPage): ContentParts {
  const writer = new ExtentsWriter(emitExtents);
  return {
    parts: {
      hole: (length) => writer.add({ length, hole: true }),
      chunk: (id, place) => {
        // Offered first: a page that names the chunk must find it under way.
        offer(id, place);
        writer.add({ length: place.length, hole: false, offset: 0, id, plainLength: place.length });
      },
    },
    finish: () => writer.finish(),
  };
}
