// The app password that a connection shows with every request, read once for as long as it stays the same.

import { hash } from "node:crypto";
import type { Socket } from "node:net";
import { PresentedPassword } from "../auth/presentedPassword.ts";
import { parseBasic } from "./basicAuth.ts";

type Shown = { readonly headerHash: string; readonly password: PresentedPassword };

const shownBy = new WeakMap<Socket, Shown>();

/** What an Authorization header shows. @throws HoldfastError auth-failed */
export function passwordOf(socket: Socket, header: string | undefined): PresentedPassword {
  const headerHash = hash("sha256", header ?? "", "base64");
  const shown = shownBy.get(socket);
  if (shown?.headerHash === headerHash) return shown.password;
  const { account, password } = parseBasic(header);
  const presented = new PresentedPassword(account, password);
  shownBy.set(socket, { headerHash, password: presented });
  return presented;
}
