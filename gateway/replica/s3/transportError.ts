// What ends a request to an S3 server below the protocol.

import { isHoldfastError } from "../../../vault/errors.ts";

/** The connection failed, hung, or gave nonsense. */
export class TransportError extends Error {
  override readonly name = "TransportError";
}

/** Certificates that are not trusted stay recognizable; all else is a failed connection. */
export function plainError(error: unknown): Error {
  if (error instanceof TransportError || isHoldfastError(error)) return error;
  const { code, message } = error as NodeJS.ErrnoException;
  if (isCertificateError(code)) return error as Error;
  return new TransportError(code === undefined || message.includes(code) ? message : `${message} (${code})`, {
    cause: error,
  });
}

/** Whether an error's code says that the server's certificate is not trusted. */
export function isCertificateError(code: string | undefined): boolean {
  return (
    code !== undefined &&
    /CERT|SELF_SIGNED|UNABLE_TO_(VERIFY|GET_ISSUER)|^ERR_TLS_|HOSTNAME_MISMATCH/.test(code)
  );
}
