// errno of C calls, noted before anything else can run on their thread. At the entry of any function V8 may collect or install code, and what it asks of
// the system then leaves an errno of its own: read one function later, it was EAGAIN in place of ENODATA once in a million calls.

export type CCall = (...args: number[]) => number;

/** What is said of a call that failed without an errno. */
const EIO = 5;

let noted = 0;

/** The errno of the noting call that failed last on this thread. Never 0 after one. */
export const lastErrno: () => number = () => noted;

/**
 * The same function; where its result is below 0, lastErrno() gives its errno. `parameters`: how many it has, 1 to 6. `errno` reads errno without
 * a call of JavaScript. The forms repeat themselves because nothing may be called between a call and its errno, and arrays of arguments cost as much
 * as the system's part of a call.
 */
export function notingErrno(call: CCall, parameters: number, errno: () => number): CCall {
  const forms: readonly CCall[] = [
    (a) => {
      const result = call(a);
      if (result < 0) noted = errno() || EIO;
      return result;
    },
    (a, b) => {
      const result = call(a, b);
      if (result < 0) noted = errno() || EIO;
      return result;
    },
    (a, b, c) => {
      const result = call(a, b, c);
      if (result < 0) noted = errno() || EIO;
      return result;
    },
    (a, b, c, d) => {
      const result = call(a, b, c, d);
      if (result < 0) noted = errno() || EIO;
      return result;
    },
    (a, b, c, d, e) => {
      const result = call(a, b, c, d, e);
      if (result < 0) noted = errno() || EIO;
      return result;
    },
    (a, b, c, d, e, f) => {
      const result = call(a, b, c, d, e, f);
      if (result < 0) noted = errno() || EIO;
      return result;
    },
  ];
  const form = forms[parameters - 1];
  if (form === undefined) throw new Error(`a C call with ${parameters} parameters`);
  return form;
}
