// A gateway in a datacentre that keeps replicas for others, behind real TLS, and stores that push to it.

import { PeerStore, type PeerStoreOptions } from "../../../gateway/replica/peer/peerStore.ts";
import type { PeerToken } from "../../../gateway/replica/peer/tokenFile.ts";
import type { GatewayFixture } from "../gatewayFixture.ts";

export type TestPeer = { readonly id: string; readonly token: PeerToken };

/** Adds a peer; without a hold time what no root lists can be deleted at once. */
export async function addPeer(
  fixture: GatewayFixture,
  name: string,
  options: { readonly quotaBytes?: number; readonly holdSeconds?: number } = {},
): Promise<TestPeer> {
  const { quotaBytes = null, holdSeconds = 0 } = options;
  const { row, token } = await fixture.gateway.peers.add(name, { quotaBytes, holdSeconds });
  return { id: row.id, token: tokenOf(fixture, name, token) };
}

/** What a token file of this gateway says. */
export function tokenOf(fixture: GatewayFixture, name: string, token: string): PeerToken {
  const { url } = fixture.listening;
  return {
    url,
    fingerprint: fixture.fingerprint,
    name,
    token,
    signer: fixture.gateway.peers.signer.publicKey,
  };
}

/** A store of a peer, which asks back what it put unless told otherwise. */
export function storeOf(peer: TestPeer, options: Partial<PeerStoreOptions> = {}): PeerStore {
  return new PeerStore({ url: peer.token.url, token: peer.token, challengeOneOf: 1, ...options });
}
