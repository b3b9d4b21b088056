// Homes as people and programs read them.

import type { HomeAnswer } from "../gateway/admin/homeOperations.ts";
import type { Home } from "../vault/seed/homeRecord.ts";

/** Rows of a table: account, device, home, address. */
export function homeRows({ account, home, isHere, devices }: HomeAnswer): string[][] {
  return [
    [account, "*", isHere ? `${home.name} (here)` : home.name, address(home)],
    ...devices.map((row) => [account, row.device, row.home.name, address(row.home)]),
  ];
}

function address({ urls }: Home): string {
  return urls.length === 0 ? "-" : urls.join(" ");
}
