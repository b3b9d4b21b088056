// The values that a command line gave, by the names of the command's table row. Asking for an option that the row
// does not have, or by another kind, is a defect in the command and throws.

import { ErrorCode, HoldfastError } from "../../vault/errors.ts";
import type { CommandSpec, OptionSpec } from "./command.ts";

export type OptionValue = boolean | string | number | readonly string[];

export class Arguments {
  readonly #command: CommandSpec;
  readonly #values: ReadonlyMap<string, OptionValue>;
  readonly operands: readonly string[];

  constructor(command: CommandSpec, values: ReadonlyMap<string, OptionValue>, operands: readonly string[]) {
    this.#command = command;
    this.#values = values;
    this.operands = operands;
  }

  get command(): CommandSpec {
    return this.#command;
  }

  flag(name: string): boolean {
    return this.#value(name, "flag") === true;
  }

  text(name: string): string | undefined {
    return this.#value(name, "text") as string | undefined;
  }

  /** @throws HoldfastError usage when the option was not given */
  requiredText(name: string): string {
    const value = this.text(name);
    if (value !== undefined) return value;
    throw new HoldfastError(ErrorCode.usage, `--${name} is needed`, {
      next: `See: holdfast help ${this.#command.path.join(" ")}`,
    });
  }

  texts(name: string): readonly string[] {
    return (this.#value(name, "texts") as readonly string[] | undefined) ?? [];
  }

  bytes(name: string): number | undefined {
    return this.#value(name, "bytes") as number | undefined;
  }

  /** In seconds. */
  duration(name: string): number | undefined {
    return this.#value(name, "duration") as number | undefined;
  }

  /** The text of a table that can be read; its time zone is another matter. */
  rates(name: string): string | undefined {
    return this.#value(name, "rates") as string | undefined;
  }

  integer(name: string): number | undefined {
    return this.#value(name, "integer") as number | undefined;
  }

  /** The operand at `index`, which the command's row requires. */
  operand(index: number): string {
    const operand = this.operands[index];
    if (operand === undefined)
      throw new Error(`operand ${index} of ${this.#command.path.join(" ")} is not required`);
    return operand;
  }

  /** These arguments, with `defaults` for the options that were not given. */
  withDefaults(defaults: ReadonlyMap<string, OptionValue>): Arguments {
    return new Arguments(this.#command, new Map([...defaults, ...this.#values]), this.operands);
  }

  #value(name: string, kind: OptionSpec["kind"]): OptionValue | undefined {
    const spec = this.#command.options.find((option) => option.name === name);
    if (spec?.kind !== kind)
      throw new Error(`${this.#command.path.join(" ")} has no ${kind} option --${name}`);
    return this.#values.get(name);
  }
}
