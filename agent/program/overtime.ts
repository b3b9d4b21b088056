// How long a program may take, and how long it may do nothing.

/** Undefined: no limit. */
export type ProgramLimits = {
  /** From its start to its end. */
  readonly timeoutMs: number | undefined;
  /** Without a byte, while it is waited for. */
  readonly idleMs: number | undefined;
};

/** Why a program was stopped; as in snapshots (docs/format.md, section 8). */
export const Stop = {
  timeout: "program-timeout",
  idle: "program-idle-timeout",
  bytes: "max-bytes",
  /** It ended, and something that it left behind held its output open. */
  output: "output-open",
} as const;
export type Stop = (typeof Stop)[keyof typeof Stop];

export class Overtime {
  readonly #limits: ProgramLimits;
  readonly #nowMs: () => number;
  readonly #startedMs: number;
  #moved = 0;
  #movedMs: number;

  /** @param nowMs a clock that never goes back */
  constructor(limits: ProgramLimits, nowMs: () => number) {
    this.#limits = limits;
    this.#nowMs = nowMs;
    this.#startedMs = nowMs();
    this.#movedMs = this.#startedMs;
  }

  /**
   * The limit that is passed now. To be asked often. `moved`: bytes that went through so far; `waits`: whether the program is
   * waited for, and not the other side.
   */
  passed(moved: number, waits: boolean): typeof Stop.timeout | typeof Stop.idle | undefined {
    const now = this.#nowMs();
    if (moved !== this.#moved || !waits) {
      this.#moved = moved;
      this.#movedMs = now;
    }
    const { timeoutMs, idleMs } = this.#limits;
    if (timeoutMs !== undefined && now - this.#startedMs >= timeoutMs) return Stop.timeout;
    if (idleMs !== undefined && now - this.#movedMs >= idleMs) return Stop.idle;
    return undefined;
  }
}

/** What is wrong with a command that was stopped, after "the command ". */
export function stopText(stop: Stop, { timeoutMs = 0, idleMs = 0 }: Partial<ProgramLimits>): string {
  switch (stop) {
    case Stop.timeout:
      return `was not done after ${timeoutMs / 1000} s (--program-timeout)`;
    case Stop.idle:
      return `did nothing for ${idleMs / 1000} s (--program-idle-timeout)`;
    case Stop.bytes:
      return "wrote more than --max-bytes";
    case Stop.output:
      return "ended and left a process behind that holds its output open";
  }
}
