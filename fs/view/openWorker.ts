// A worker thread that opens records with nothing but Node.

import { serveOpening } from "./openServing.ts";

serveOpening(() => undefined);
