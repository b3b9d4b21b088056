// The app password that a connection shows with every request, read once for as long as it stays the same.

import type { Socket } from "node:net";
import { PresentedPassword } from "../auth/presentedPassword.ts";
import { parseBasic } from "./basicAuth.ts";

type Shown = { readonly header: string; readonly password: PresentedPassword };

const shownBy = new WeakMap<Socket, Shown>();

/** What an Authorization header shows. @throws HoldfastError auth-failed */
export function passwordOf(socket: Socket, header: string | undefined): PresentedPassword {
  const shown = shownBy.get(socket);
  if (shown !== undefined && shown.header === header) return shown.password;
  const { account, password } = parseBasic(header);
  const presented = new PresentedPassword(account, password);
  if (header !== undefined) shownBy.set(socket, { header, password: presented });
  return presented;
}
