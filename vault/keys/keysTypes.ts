// The shape of a keys document and the contexts that its boxes are bound to (docs/format.md section 4). Ids are hex, boxes base64.

export type PasswordWrap = {
  readonly kind: "password";
  readonly kdf: { readonly suite: 1; readonly iterations: number; readonly salt: string };
  readonly box: string;
};
export type RecoveryWrap = { readonly kind: "recovery"; readonly public: string; readonly box: string };
export type DeviceWrap = {
  readonly kind: "device";
  readonly device: string;
  readonly public: string;
  readonly box: string;
};
export type KeysWrap = PasswordWrap | RecoveryWrap | DeviceWrap;

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

/** The context that a wrap's box is bound to; `device` for kind "device" only. */
export function wrapContext(
  document: Pick<KeysDocument, "account" | "vault" | "epoch">,
  kind: KeysWrap["kind"],
  device?: string,
): string {
  const context = `holdfast/wrap/${document.account}/${document.vault}/${document.epoch}/${kind}`;
  return device === undefined ? context : `${context}/${device}`;
}
