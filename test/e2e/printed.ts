// What programs printed, and which secrets are in it.

import { expect, onTestFinished } from "vitest";
import { Program } from "./program.ts";

export type Secret = { readonly name: string; readonly forms: readonly string[] };

/** A secret of bytes, in the forms that programs print bytes in. */
export function ofBytes(name: string, bytes: Uint8Array): Secret {
  const buffer = Buffer.from(bytes);
  return {
    name,
    forms: [
      buffer.toString("hex"),
      buffer.toString("base64").replace(/=+$/, ""),
      buffer.toString("base64url"),
      buffer.toJSON().data.join(","), // how JSON shows a Buffer
      buffer.toString("hex").match(/../g)!.join(" "), // how util.inspect shows it
    ],
  };
}

/** A secret of text: as it is, and its bytes. */
export function ofText(name: string, text: string): Secret {
  return { name, forms: [text, ...ofBytes(name, Buffer.from(text)).forms] };
}

/** The names of the secrets that a text has, whatever the case of its hex digits. */
export function secretsIn(text: string, secrets: readonly Secret[]): string[] {
  const folded = text.toLowerCase().replace(/,\s+/g, ",");
  return secrets
    .filter(({ forms }) => forms.some((form) => folded.includes(form.toLowerCase())))
    .map(({ name }) => name);
}

/** Every program of the test, and everything that they printed. */
export class Printed {
  readonly #programs: Program[] = [];

  start(args: readonly string[]): Program {
    const program = new Program(args);
    this.#programs.push(program);
    onTestFinished(async () => {
      await program.stop("SIGKILL");
    });
    return program;
  }

  /** Runs a command line to its end. */
  async run(status: number, ...args: string[]): Promise<string> {
    const ran = await this.start(args).ended();
    expect(ran.status, `holdfast ${args.join(" ")}\n${ran.stdout}${ran.stderr}`).toBe(status);
    return ran.stdout;
  }

  get text(): string {
    return this.#programs.map(({ stdout, stderr }) => stdout + stderr).join("\n");
  }
}
