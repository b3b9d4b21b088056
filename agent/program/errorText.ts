// What a program writes to stderr, as lines for a job's log, in bounded memory: the beginning as it comes, the end when it is over, and in
// between how much was left out.

/** Of the beginning, and of the end; a line counts with its length and what it costs in a log. */
const shareMax = 16 * 1024;
const lineCost = 64;
/** A longer line becomes several. */
const lineBytesMax = 1024;

const [newline, carriageReturn] = [0x0a, 0x0d];

export class ErrorText {
  readonly #tell: (line: Buffer) => void;
  #line: Buffer[] = [];
  #lineBytes = 0;
  #headCost = 0;
  #tail: Buffer[] = [];
  #tailCost = 0;
  #cut = { lines: 0, bytes: 0 };

  /** @param tell called for each line that is shown, without its end */
  constructor(tell: (line: Buffer) => void) {
    this.#tell = tell;
  }

  /** Takes what the program wrote next. The bytes may be reused afterwards. */
  take(bytes: Buffer): void {
    let from = 0;
    for (let at = 0; at < bytes.length; at++) {
      const isEnd = bytes[at] === newline || bytes[at] === carriageReturn;
      if (isEnd || this.#lineBytes + at - from >= lineBytesMax) {
        this.#add(bytes.subarray(from, at));
        this.#endLine();
        from = isEnd ? at + 1 : at;
      }
    }
    this.#add(bytes.subarray(from));
  }

  /** Tells the rest: the program is over. */
  end(): void {
    this.#endLine();
    const { lines, bytes } = this.#cut;
    if (lines > 0) this.#tell(Buffer.from(`(${lines} lines, ${bytes} bytes, are left out here)`));
    for (const line of this.#tail.splice(0)) this.#tell(line);
  }

  #add(bytes: Buffer): void {
    if (bytes.length === 0) return;
    this.#line.push(Buffer.from(bytes));
    this.#lineBytes += bytes.length;
  }

  #endLine(): void {
    if (this.#lineBytes === 0) return;
    const line = Buffer.concat(this.#line);
    this.#line = [];
    this.#lineBytes = 0;
    const cost = line.length + lineCost;
    if (this.#tail.length === 0 && this.#headCost + cost <= shareMax) {
      this.#headCost += cost;
      this.#tell(line);
      return;
    }
    this.#tail.push(line);
    this.#tailCost += cost;
    while (this.#tailCost > shareMax) {
      const first = this.#tail.shift() as Buffer;
      this.#tailCost -= first.length + lineCost;
      this.#cut.lines += 1;
      this.#cut.bytes += first.length;
    }
  }
}
