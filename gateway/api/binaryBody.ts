// Bodies that are bytes: nothing in a schema says that a request brought one.

import { octetStream } from "../../ingest/wire/protocol.ts";
import { ErrorCode, HoldfastError } from "../../vault/errors.ts";

/** @throws HoldfastError usage for a request without a body, or with one of another type */
export function bytesOf(body: unknown): Buffer {
  if (Buffer.isBuffer(body)) return body;
  throw new HoldfastError(ErrorCode.usage, `this needs a body of type ${octetStream}`);
}
