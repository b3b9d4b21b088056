// pax extended headers: records "LENGTH KEY=VALUE\n" in a member of their own before the one that they speak of.

import { blockBytes, paddingAfter, TarType, ustarBlock } from "./ustar.ts";

/** Records by key, in the order they were set. Keys and values are bytes; strings are taken as UTF-8. */
export class PaxRecords {
  readonly #records: Buffer[] = [];

  get empty(): boolean {
    return this.#records.length === 0;
  }

  add(key: string | Uint8Array, value: string | number | Uint8Array): void {
    const name = typeof key === "string" ? Buffer.from(key) : key;
    const bytes = value instanceof Uint8Array ? value : Buffer.from(String(value));
    const rest = name.length + bytes.length + 3; // space, equals sign, newline
    let length = rest + String(rest).length;
    if (String(length).length > String(rest).length) length = rest + String(length).length;
    this.#records.push(Buffer.concat([Buffer.from(`${length} `), name, equalsSign, bytes, newline]));
  }

  addAll(others: PaxRecords): void {
    this.#records.push(...others.#records);
  }

  /** The member: header, records, padding. `about` names what it speaks of, for programs that know no pax. */
  member(about: Uint8Array): Buffer {
    const size = this.#records.reduce((sum, record) => sum + record.length, 0);
    const name = Buffer.concat([Buffer.from("PaxHeaders/"), about]);
    const header = ustarBlock({ type: TarType.pax, name, mode: 0o644, size });
    return Buffer.concat([header, ...this.#records], blockBytes + size + paddingAfter(size));
  }
}

const equalsSign = Buffer.from("=");
const newline = Buffer.from("\n");

/** Nanoseconds since 1970 as decimal seconds. */
export function paxTime(timeNs: bigint): string {
  const [sign, distance] = timeNs < 0n ? ["-", -timeNs] : ["", timeNs];
  const fraction = String(distance % 1_000_000_000n)
    .padStart(9, "0")
    .replace(/0+$/, "");
  return `${sign}${distance / 1_000_000_000n}${fraction === "" ? "" : `.${fraction}`}`;
}
