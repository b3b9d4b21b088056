// What can be wrong with a chain of roots.

import { ErrorCode, HoldfastError } from "../../../vault/errors.ts";
import type { Root } from "../../../vault/replica/root.ts";

/** Where roots are, and what people call the replica, where it has a name here. */
export type ChainPlace = { readonly url: string; readonly name: string | undefined };

/** Behind words that end in a full stop: what to do about a replica that has a name here. */
function withCommand(words: string, { name }: ChainPlace, command: (name: string) => string): string {
  return name === undefined ? words : `${words} ${command(name)}`;
}

/** The chain is behind what was seen, or other than it. */
export function rolledBack(place: ChainPlace, generation: number): HoldfastError {
  return new HoldfastError(
    ErrorCode.rollbackDetected,
    `the replica at ${place.url} is not what it was: its root ${generation} is gone or another`,
    {
      next: withCommand(
        "Find out who put an old state back.",
        place,
        (name) =>
          `To go on from what is there: \`holdfast replica remove ${name}\`, add it again, then \`holdfast replica run ${name} --take-over\`.`,
      ),
      detail: { generation },
    },
  );
}

/** Another gateway's root is the newest. */
export function fenced(place: ChainPlace, root: Pick<Root, "generation" | "writer" | "time">): HoldfastError {
  return new HoldfastError(
    ErrorCode.replicaFenced,
    `another gateway writes to the replica at ${place.url}: its root ${root.generation} of ${root.time}`,
    {
      next: withCommand(
        "Decide which gateway goes on.",
        place,
        (name) => `\`holdfast replica run ${name} --take-over\` makes it this one, and the other stops.`,
      ),
      detail: { generation: root.generation, writer: root.writer },
    },
  );
}

export function noTakeOver(url: string): HoldfastError {
  return new HoldfastError(
    ErrorCode.replicaRefused,
    `the replica at ${url} cannot be taken over: two gateways could overwrite each other's roots there`,
    { next: "Add a new replica, or this one with its roots elsewhere: `replica add --root-url`." },
  );
}

/** A root that proves nothing. */
export function unreadableRoot(url: string, generation: number, why: string, cause?: unknown): HoldfastError {
  return new HoldfastError(ErrorCode.replicaDamaged, `root ${generation} of the replica at ${url}: ${why}`, {
    next: "Put the right object back from a copy of the replica, if there is one; the roots before it are still there.",
    detail: { generation },
    cause,
  });
}
