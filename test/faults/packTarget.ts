// Loaded into a gateway's process before the program (node --import): packs are closed when they have HOLDFAST_TEST_PACK_BYTES bytes.

import { limits } from "../../vault/limits.ts";

const bytes = Number(process.env.HOLDFAST_TEST_PACK_BYTES);
if (!(bytes > 0)) throw new Error("HOLDFAST_TEST_PACK_BYTES is not set");
Object.assign(limits, { packBytesTarget: bytes });
