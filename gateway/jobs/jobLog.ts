// The log of one job: what its gateway said while it worked. The newest lines are kept, short ones.

export type JobLine = {
  /** From 1 on; where the first that is kept has another, the ones before it were too many. */
  readonly number: number;
  /** RFC 3339. */
  readonly time: string;
  readonly level: "info" | "warn" | "error";
  readonly text: string;
};

export const linesMax = 100;
export const lineCharactersMax = 240;

export class JobLog {
  #lines: JobLine[];

  constructor(lines: readonly JobLine[] = []) {
    this.#lines = [...lines];
  }

  add(time: string, level: JobLine["level"], text: string): void {
    const flat = text.replaceAll(/\s+/g, " ");
    const short = flat.length > lineCharactersMax ? `${flat.slice(0, lineCharactersMax - 3)}...` : flat;
    this.#lines.push({ number: (this.#lines.at(-1)?.number ?? 0) + 1, time, level, text: short });
    if (this.#lines.length > linesMax) this.#lines.shift();
  }

  /** Those behind a number. */
  after(number: number): JobLine[] {
    return this.#lines.filter((line) => line.number > number);
  }
}

/** "pack-damaged pack=ab12 err=corrupt: ...": a line of the gateway's logger as a job's log has it. */
export function lineText(args: readonly unknown[]): string {
  const [first, second] = args;
  if (typeof first === "string") return first;
  const facts = typeof first === "object" && first !== null ? Object.entries(first) : [];
  const words = facts.flatMap(([name, value]) => {
    if (value instanceof Error)
      return [`${name}=${"code" in value ? `${String(value.code)}: ` : ""}${value.message}`];
    return ["string", "number", "boolean"].includes(typeof value) ? [`${name}=${String(value)}`] : [];
  });
  return [...(typeof second === "string" ? [second] : []), ...words].join(" ");
}
