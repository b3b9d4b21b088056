// Operations that are noted in the audit log as they are done, by a table: one rule for each, so that a new operation does not compile before
// somebody decided what is noted of it.

import { isHoldfastError } from "../../vault/errors.ts";
import type { AuditActor, AuditEvent, AuditFacts, AuditSubject } from "./events.ts";

// biome-ignore lint/suspicious/noExplicitAny: arguments of any operation
type Operation = (...args: any[]) => Promise<unknown>;

/** What is noted; undefined: nothing, of this call. `result` is undefined where the operation failed. */
export type Rule<Call extends Operation> = (
  args: Parameters<Call>,
  result: Awaited<ReturnType<Call>> | undefined,
) => { readonly event: AuditEvent; readonly subject: AuditSubject } | undefined;

/** For each operation its rule, or "reads" where nothing is changed. */
export type Rules<Operations> = {
  readonly [Name in keyof Operations as Operations[Name] extends Operation ? Name : never]-?:
    | "reads"
    | (Operations[Name] extends Operation ? Rule<Operations[Name]> : never);
};

/** Who does it, and from where over the network. */
export type Doer = { readonly actor: AuditActor; readonly address?: string };

/** Where it is noted, and how it is found out who does what is done now. */
export type By = { readonly audit: AuditPort; readonly who: () => Doer };

/** The admin socket, and commands on the data directory. */
export function byAdministrator(audit: AuditPort): By {
  return { audit, who: () => ({ actor: { kind: "administrator" } }) };
}

type AuditPort = { readonly record: (facts: AuditFacts) => Promise<void> };

/**
 * The same operations; each that changes something ends when its line is durable. `inner`: members that are groups of operations, noted already.
 */
export function audited<Operations extends object>(
  operations: Operations,
  rules: Rules<Operations>,
  { audit, who }: By,
  inner: Partial<Operations> = {},
): Operations {
  const noted = async (call: Operation, args: unknown[], rule: Rule<Operation>): Promise<unknown> => {
    const doer = who();
    const note = async (result: unknown, outcome: Pick<AuditFacts, "outcome" | "code">): Promise<void> => {
      const facts = rule(args, result);
      if (facts === undefined) return;
      await audit.record({ ...facts, ...outcome, ...doer });
    };
    let result: unknown;
    try {
      result = await call.apply(operations, args);
    } catch (error) {
      const code = isHoldfastError(error) ? error.code : "internal";
      await note(undefined, { outcome: code === "internal" ? "failed" : "refused", code });
      throw error;
    }
    await note(result, { outcome: "done" });
    return result;
  };
  return new Proxy(operations, {
    get(target, name) {
      if (Object.hasOwn(inner, name)) return Reflect.get(inner, name);
      const value: unknown = Reflect.get(target, name, target);
      if (typeof value !== "function") return value;
      const rule = Object.hasOwn(rules, name)
        ? (Reflect.get(rules, name) as Rule<Operation> | "reads")
        : "reads";
      const call = value as Operation;
      if (rule === "reads") return call.bind(target);
      return (...args: unknown[]) => noted(call, args, rule);
    },
  });
}
