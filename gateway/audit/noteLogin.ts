// Logins with an account's password: the accepted ones durably before the answer, the others as a flood is noted.

import { ErrorCode, isHoldfastError } from "../../vault/errors.ts";
import type { Audit } from "./audit.ts";

/** Runs a login and notes what became of it. `name`: the account that was asked for. @throws what `login` throws */
export async function noteLogin<Answer>(
  audit: Pick<Audit, "record" | "noteOften">,
  name: string,
  address: string,
  login: () => Promise<Answer>,
): Promise<Answer> {
  const account = name.normalize("NFC");
  let answer: Answer;
  try {
    answer = await login();
  } catch (error) {
    const code = isHoldfastError(error) ? error.code : ErrorCode.internal;
    const byAddress = isHoldfastError(error) && isHoldfastError(error.cause, ErrorCode.forbidden);
    const event =
      code === ErrorCode.authThrottled ? "login.throttled" : byAddress ? "address.refused" : "login.refused";
    const actor = { kind: "unknown" } as const;
    audit.noteOften({ event, outcome: "refused", code, actor, address, subject: { account } });
    throw error;
  }
  const actor = { kind: "account", account } as const;
  await audit.record({ event: "login.accepted", outcome: "done", actor, address, subject: {} });
  return answer;
}
