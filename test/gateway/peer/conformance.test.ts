// A peer is a replica store as every other is: the suite over a second gateway, with TLS.

import { peerLimits } from "../../../ingest/wire/peer.ts";
import { testReplicaStore } from "../../conformance/replicaStore.ts";
import { GatewayFixture } from "../gatewayFixture.ts";
import { addPeer, storeOf } from "./peerFixture.ts";

testReplicaStore({
  name: "a gateway",
  conditionalPuts: true,
  resumes: true,
  boundaries: [peerLimits.putBytesMax, 2 * peerLimits.putBytesMax],
  open: async () => {
    const fixture = await GatewayFixture.create();
    const peer = await addPeer(fixture, "box");
    return {
      store: storeOf(peer),
      reopen: async () => storeOf(peer),
      remove: () => fixture.remove(),
    };
  },
});
