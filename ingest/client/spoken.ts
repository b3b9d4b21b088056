// The protocol version that a client speaks with one gateway: the newest that both know. A gateway that does not serve the newest of ours says
// which ones it serves, in its refusal of the first request; nothing else is asked for it.

import { ErrorCode, HoldfastError, isHoldfastError } from "../../vault/errors.ts";
import { behindProtocol, protocolVersions } from "../wire/protocol.ts";

export class Spoken {
  readonly #ours: readonly number[];
  #version: number;

  constructor(ours: readonly number[] = protocolVersions) {
    this.#ours = ours;
    this.#version = Math.max(...ours);
  }

  get version(): number {
    return this.#version;
  }

  /**
   * What a refusal means for the next request: true where another version is spoken from now on, and the request is worth another try.
   * @throws HoldfastError unsupported where there is none that both know: it says which side is to be upgraded
   */
  heed(error: unknown, origin: string): boolean {
    if (!isHoldfastError(error, ErrorCode.unsupported) || !Array.isArray(error.detail.protocols))
      return false;
    const theirs = (error.detail.protocols as readonly string[]).map(Number).filter(Number.isSafeInteger);
    const common = theirs.filter((each) => this.#ours.includes(each));
    const newest = common.length === 0 ? undefined : Math.max(...common);
    if (newest !== undefined && newest !== this.#version) {
      this.#version = newest;
      return true;
    }
    const isOurs = behindProtocol(this.#ours, theirs) === "ours";
    const speaks = `the gateway at ${origin} speaks protocol ${theirs.join(", ") || "unknown"}, this program ${this.#ours.join(", ")}`;
    throw new HoldfastError(
      ErrorCode.unsupported,
      `${speaks}: ${isOurs ? "this program" : "the gateway"} is too old`,
      {
        next: isOurs ? "Upgrade Holdfast on this machine." : "Upgrade the gateway.",
        detail: error.detail,
        cause: error,
      },
    );
  }
}
