// Items as administrators name them.

import { ErrorCode, HoldfastError } from "../vault/errors.ts";

export type ItemPlace = { readonly account: string; readonly device: string; readonly item: string };

/** @throws HoldfastError usage */
export function parseItemName(text: string): ItemPlace {
  const [account, device, item, more] = text.split("/");
  if (!account || !device || !item || more !== undefined)
    throw new HoldfastError(ErrorCode.usage, `not ACCOUNT/DEVICE/ITEM: ${text}`);
  return { account, device, item };
}
