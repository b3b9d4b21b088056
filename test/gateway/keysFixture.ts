// One gateway for a file's tests of keys, and for each of them an account of its own with two devices.

import { afterAll, beforeAll, beforeEach } from "vitest";
import { AuditAdministration } from "../../gateway/admin/auditOperations.ts";
import type { KeysOperations } from "../../gateway/admin/keysOperations.ts";
import { auditedAdministration } from "../../gateway/audit/adminRules.ts";
import { byAdministrator } from "../../gateway/audit/audited.ts";
import { ErrorCode } from "../../vault/errors.ts";
import type { KeysDocument, KeysWrap } from "../../vault/keys/keysTypes.ts";
import { rotateKeys } from "../../vault/keys/rotation.ts";
import { GatewayFixture, type TestAccount, type TestDevice } from "./gatewayFixture.ts";

export const all = (): boolean => true;
export const conflict = { code: ErrorCode.sequenceConflict };

export class KeysFixture {
  fixture!: GatewayFixture;
  account!: TestAccount;
  laptop!: TestDevice;
  desktop!: TestDevice;

  constructor() {
    beforeAll(async () => {
      this.fixture = await GatewayFixture.create();
    });
    beforeEach(async ({ task }) => {
      this.account = await this.fixture.account(`anna ${task.id.replaceAll(/\W/g, "")}`);
      this.laptop = await this.fixture.device(this.account, "laptop");
      this.desktop = await this.fixture.device(this.account, "desktop");
    });
    afterAll(async () => {
      await this.fixture.remove();
    });
  }

  /** As an administrator has them, noted in the audit log. */
  get keys(): KeysOperations {
    const { administration, gateway } = this.fixture;
    return auditedAdministration(administration, byAdministrator(gateway.audit)).keys;
  }

  /** The newest keys document. */
  async current(): Promise<KeysDocument> {
    return (await this.fixture.gateway.vault(this.account.vault)).keys;
  }

  /** Its successor in the next epoch, which nobody has yet. */
  async rotated(keeps: (wrap: KeysWrap) => boolean = all): Promise<ReturnType<typeof rotateKeys>> {
    return rotateKeys(await this.current(), this.account.r, keeps);
  }

  async lastEvents(count: number): Promise<[string, string, string | null][]> {
    const { entries } = await new AuditAdministration(this.fixture.gateway).list({ after: 0, limit: 1000 });
    return entries.slice(-count).map(({ event, outcome, code }) => [event, outcome, code]);
  }
}
