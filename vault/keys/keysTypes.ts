// The shape of a keys document and the contexts that its boxes are bound to (docs/format.md section 4). Ids are hex, boxes base64.

export type PasswordWrap = {
  readonly kind: "password";
  readonly kdf: { readonly suite: 1; readonly iterations: number; readonly salt: string };
  readonly box: string;
};
type PublicWrap = {
  readonly public: string;
  readonly box: string;
  /** By whoever had E; absent in wraps of before there were rotations. */
  readonly proof?: string;
};
export type RecoveryWrap = PublicWrap & { readonly kind: "recovery" };
export type DeviceWrap = PublicWrap & { readonly kind: "device"; readonly device: string };
export type EscrowWrap = PublicWrap & {
  readonly kind: "escrow";
  /** What the account's owner calls its holder. */
  readonly label: string;
  /** RFC 3339. */
  readonly since: string;
};
export type KeysWrap = PasswordWrap | RecoveryWrap | DeviceWrap | EscrowWrap;

export type KeysDocument = {
  readonly format: "holdfast-keys";
  readonly version: 1;
  readonly vault: string;
  readonly account: string;
  readonly generation: number;
  readonly epoch: number;
  readonly ring: string;
  readonly wraps: readonly KeysWrap[];
};

/** The context that a wrap's box is bound to; `holder` for kinds that there may be several of: a device's id, an escrow's public key (hex). */
export function wrapContext(
  document: Pick<KeysDocument, "account" | "vault" | "epoch">,
  kind: KeysWrap["kind"],
  holder?: string,
): string {
  const context = `holdfast/wrap/${document.account}/${document.vault}/${document.epoch}/${kind}`;
  return holder === undefined ? context : `${context}/${holder}`;
}
