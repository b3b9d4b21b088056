// The Range header (RFC 9110, section 14): one range of bytes. Several are answered with the whole, as the RFC allows.

export type ByteRange = { readonly first: number; readonly last: number };

/** The range of a body of `size` bytes; undefined where the header asks for none that counts. */
export function parseByteRange(header: string, size: number): ByteRange | "unsatisfiable" | undefined {
  // Few blanks: where two runs of them can meet, a long one would cost its square.
  const match = /^bytes\s{0,4}=\s{0,4}(\d*)\s{0,4}-\s{0,4}(\d*)$/i.exec(header.trim());
  const [, from, to] = match ?? [];
  if (from === undefined || to === undefined || (from === "" && to === "")) return undefined;
  if (from === "") {
    const length = Math.min(Number(to), size);
    return length === 0 ? "unsatisfiable" : { first: size - length, last: size - 1 };
  }
  const first = Number(from);
  if (to !== "" && Number(to) < first) return undefined;
  if (first >= size) return "unsatisfiable";
  return { first, last: to === "" ? size - 1 : Math.min(Number(to), size - 1) };
}
