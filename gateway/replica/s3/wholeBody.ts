// The bodies of answers that our transport received.

/** All bytes of a body; the transport hands it out as one piece, which is given as it is. */
export async function wholeBody(body: unknown): Promise<Buffer> {
  const pieces: Buffer[] = [];
  for await (const piece of (body ?? []) as AsyncIterable<Buffer>) pieces.push(piece);
  return pieces.length === 1 ? pieces[0]! : Buffer.concat(pieces);
}
