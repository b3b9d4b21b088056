// What a run that only lists what a restore would fetch works with.

import type { NeedList } from "./needList.ts";

export type Needs = {
  readonly list: NeedList;
  /** The target is not there: nothing at it is worth a look. */
  readonly targetIsNew: boolean;
};
