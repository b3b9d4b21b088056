// Addresses in messages.

/**
 * An address as a message may show it. People put keys into addresses (s3://KEY:SECRET@bucket): they are not repeated. A secret may have
 * slashes, so that all up to the last "@" goes.
 */
export function withoutSecrets(url: string): string {
  return JSON.stringify(url.replace(/\/\/.*@/s, "//...@").slice(0, 200));
}
