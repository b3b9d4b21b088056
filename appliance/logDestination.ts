// Where a gateway's log goes: stderr, line by line. A log that cannot be written ends no gateway: its disk may be full, and backups go
// elsewhere. What is refused waits, in bounded memory, and is written with the next line that finds room; a reader that is gone gets no more.

import { pino } from "pino";

/** Lines beyond it are lost. */
const waitingCharactersMax = 1024 * 1024;

export function logDestination(): ReturnType<typeof pino.destination> {
  const destination = pino.destination({ fd: 2, sync: true, maxLength: waitingCharactersMax });
  // It is tried again with each line.
  destination.on("error", () => undefined);
  return destination;
}
