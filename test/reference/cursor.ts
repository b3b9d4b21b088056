// Reading little-endian fields one after the other. Everything outside what docs/format.md says is refused.

/** Why a vault or a part of it is refused, in the words of the format's page. */
export class Refusal extends Error {
  readonly code: "corrupt" | "limit-exceeded" | "unsupported" | "auth-failed" | "not-found";

  constructor(code: Refusal["code"], message: string) {
    super(`${code}: ${message}`);
    this.code = code;
  }
}

/** Refuses as corrupt unless the condition holds. */
export function must(condition: boolean, message: string): asserts condition {
  if (!condition) throw new Refusal("corrupt", message);
}

export function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("hex");
}

/** Bytes of a hexadecimal text of just `length` bytes, lower case. */
export function fromHex(text: unknown, length: number, what: string): Uint8Array {
  must(
    typeof text === "string" && text.length === 2 * length && /^[0-9a-f]*$/.test(text),
    `${what} is not hex`,
  );
  return Uint8Array.from(Buffer.from(text, "hex"));
}

/** Bytes of a base64 text with padding. */
export function fromBase64(text: unknown, what: string): Uint8Array {
  must(typeof text === "string", `${what} is no text`);
  const bytes = Buffer.from(text, "base64");
  must(bytes.toString("base64") === text, `${what} is not base64`);
  return Uint8Array.from(bytes);
}

export function concat(...parts: readonly Uint8Array[]): Uint8Array {
  return Uint8Array.from(Buffer.concat(parts));
}

export function u32(value: number): Uint8Array {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value);
  return bytes;
}

export function u64(value: number): Uint8Array {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64LE(BigInt(value));
  return bytes;
}

/** A place in bytes that moves on as fields are read. */
export class Cursor {
  readonly #bytes: Buffer;
  readonly #what: string;
  at = 0;

  constructor(bytes: Uint8Array, what: string) {
    this.#bytes = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
    this.#what = what;
  }

  bytes(length: number): Uint8Array {
    must(length <= this.#bytes.length - this.at, `${this.#what} ends too early`);
    const part = Uint8Array.from(this.#bytes.subarray(this.at, this.at + length));
    this.at += length;
    return part;
  }

  u8(): number {
    return this.bytes(1)[0]!;
  }

  u16(): number {
    return Buffer.from(this.bytes(2)).readUInt16LE();
  }

  u32(): number {
    return Buffer.from(this.bytes(4)).readUInt32LE();
  }

  u64(): bigint {
    return Buffer.from(this.bytes(8)).readBigUInt64LE();
  }

  i64(): bigint {
    return Buffer.from(this.bytes(8)).readBigInt64LE();
  }

  /** A u64 that must be below 2^53. */
  count64(): number {
    const value = this.u64();
    must(value < 2n ** 53n, `${this.#what}: ${value} is too large`);
    return Number(value);
  }

  /** Unsigned LEB128, at most 8 bytes, below 2^53, in its shortest form. */
  varint(): number {
    let value = 0n;
    for (let i = 0; ; i++) {
      must(i < 8, `${this.#what}: a varint is too long`);
      const byte = this.u8();
      value |= BigInt(byte & 0x7f) << BigInt(7 * i);
      if (byte < 0x80) {
        must(i === 0 || byte !== 0, `${this.#what}: a varint is not in its shortest form`);
        break;
      }
    }
    must(value < 2n ** 53n, `${this.#what}: a varint is too large`);
    return Number(value);
  }

  /** varint length ‖ bytes */
  block(): Uint8Array {
    return this.bytes(this.varint());
  }

  zeros(length: number): void {
    must(
      this.bytes(length).every((byte) => byte === 0),
      `${this.#what}: reserved bytes are not zero`,
    );
  }

  text(expected: string): void {
    const found = Buffer.from(this.bytes(expected.length)).toString("latin1");
    must(found === expected, `${this.#what} does not start with ${expected}`);
  }

  end(): void {
    must(this.at === this.#bytes.length, `${this.#what} has bytes left over`);
  }
}
