// What a command is: one row of the table that parsing, help and completion all read. The row names its module; the
// module is loaded only when the command runs, so that starting costs nothing that is not needed.

import type { Arguments } from "./arguments.ts";
import type { Output } from "./output/output.ts";

export type OptionSpec = {
  /** Long name without the dashes; the same name counts in configuration files. */
  readonly name: string;
  /** `texts` may be given many times; `bytes` takes "5MiB" and is a number of bytes; `duration` takes "8h" and is seconds; `rates` is the text of a RateTable. */
  readonly kind: "flag" | "text" | "texts" | "bytes" | "duration" | "integer" | "rates";
  /** What stands for the value in help: DIR, FILE, NAME. */
  readonly value?: string;
  readonly summary: string;
  readonly choices?: readonly string[];
  /** Left out of help and completion: for tests and support. */
  readonly hidden?: boolean;
};

export type OperandSpec = {
  readonly name: string;
  readonly required?: boolean;
  /** The last operand may repeat. */
  readonly many?: boolean;
};

export type CommandSpec = {
  /** The words that call it: ["agent", "backup"]. */
  readonly path: readonly string[];
  readonly summary: string;
  /** Paragraphs below the summary in its help. */
  readonly details?: readonly string[];
  readonly operands: readonly OperandSpec[];
  readonly options: readonly OptionSpec[];
  /** One whole command line that works as it stands. */
  readonly example: string;
  /** Ends quietly when whoever reads its output goes away, instead of finishing its work. */
  readonly endsWithReader?: boolean;
  /** Started by root, it stays root, also on a directory that belongs to another user (service/asOwner.ts). */
  readonly staysRoot?: boolean;
  readonly load: () => Promise<CommandModule>;
};

export type CommandContext = {
  readonly args: Arguments;
  readonly output: Output;
  /** Aborted by SIGINT and SIGTERM. */
  readonly signal: AbortSignal;
  readonly environment: NodeJS.ProcessEnv;
  readonly nowMs: () => number;
};

export interface CommandModule {
  /** Does the work. Failures are thrown; warnings are counted by the output. */
  run(context: CommandContext): Promise<void>;
}
