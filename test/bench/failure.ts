/** A step of the benchmark could not be done: one line for people, exit status 1. */
export class BenchFailure extends Error {}
