// Small buffers put together, so that a tree of small files is not a write for every header.

const bytesMin = 128 * 1024;

/**
 * The same bytes in buffers of at least 128 KiB, but for the last. Large ones pass as they are. What came before a failure is passed
 * on before it.
 */
export async function* coalesced(source: AsyncIterable<Buffer>): AsyncGenerator<Buffer, void, void> {
  let small: Buffer[] = [];
  let bytes = 0;
  try {
    for await (const buffer of source) {
      if (buffer.length === 0) continue;
      if (buffer.length >= bytesMin) {
        if (bytes > 0) yield Buffer.concat(small, bytes);
        yield buffer;
      } else {
        small.push(buffer);
        bytes += buffer.length;
        if (bytes < bytesMin) continue;
        yield Buffer.concat(small, bytes);
      }
      small = [];
      bytes = 0;
    }
  } catch (error) {
    if (bytes > 0) yield Buffer.concat(small, bytes);
    throw error;
  }
  if (bytes > 0) yield Buffer.concat(small, bytes);
}
