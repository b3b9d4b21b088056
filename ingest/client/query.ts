// The query part of a request's path.

/** "?a=1&b=2" of the values that are there; "" of none. */
export function query(values: Readonly<Record<string, string | number | undefined>>): string {
  const parameters = new URLSearchParams();
  for (const [key, value] of Object.entries(values)) if (value !== undefined) parameters.set(key, `${value}`);
  const text = parameters.toString();
  return text === "" ? "" : `?${text}`;
}
