// What one look of the doctor found.

export const FindingState = { good: "good", note: "note", problem: "problem" } as const;
export type FindingState = (typeof FindingState)[keyof typeof FindingState];

export type Finding = {
  /** What was looked at: "Node", "disk of /srv". */
  readonly about: string;
  /** `note`: works, but less well or not everything; `problem`: must be mended. */
  readonly state: FindingState;
  readonly message: string;
  /** How to mend it. */
  readonly next?: string;
};

export function good(about: string, message: string): Finding {
  return { about, state: FindingState.good, message };
}

export function note(about: string, message: string, next: string): Finding {
  return { about, state: FindingState.note, message, next };
}

export function problem(about: string, message: string, next: string): Finding {
  return { about, state: FindingState.problem, message, next };
}
