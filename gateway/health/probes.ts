// What is measured where it happens. Each is one call; nobody listens before metrics are served (metrics/gatewayMetrics.ts).

export class Probes {
  /** A `have` was answered: seconds since its request came. */
  have: (seconds: number) => void = nothing;
  /** A group commit of records is on disk: seconds of write and fdatasync. */
  groupCommit: (seconds: number) => void = nothing;
}

function nothing(): void {}
