// What quickstart makes, all below one directory:
//
//   gateway/                  the gateway's data (packs, index, catalog)
//   agent/                    this machine's enrolment, key and cache
//   drive/                    where the drive is mounted
//   password                  the account's password (mode 0600)
//   account-recovery-key      opens the backups without the password (0600)
//   gateway-recovery-key      (0600)
//   quickstart.json           what was backed up last
//   gateway.log               of the gateway's last run
//   lock                      held by the quickstart that runs; has its pid

import { join } from "node:path";

export type Layout = {
  readonly root: string;
  readonly gateway: string;
  readonly agent: string;
  readonly drive: string;
  readonly password: string;
  readonly accountRecoveryKey: string;
  readonly gatewayRecoveryKey: string;
  readonly memory: string;
  readonly log: string;
  readonly lock: string;
};

export function layoutOf(root: string): Layout {
  return {
    root,
    gateway: join(root, "gateway"),
    agent: join(root, "agent"),
    drive: join(root, "drive"),
    password: join(root, "password"),
    accountRecoveryKey: join(root, "account-recovery-key"),
    gatewayRecoveryKey: join(root, "gateway-recovery-key"),
    memory: join(root, "quickstart.json"),
    log: join(root, "gateway.log"),
    lock: join(root, "lock"),
  };
}

/** What each part is, for people, in the order in which it is listed. */
export function partsOf(layout: Layout): readonly (readonly [string, string])[] {
  return [
    [layout.gateway, "the gateway with all backups"],
    [layout.agent, "this machine's enrolment, key and cache"],
    [layout.drive, "the mount point"],
    [layout.password, "the account's password"],
    [layout.accountRecoveryKey, "the account's recovery key"],
    [layout.gatewayRecoveryKey, "the gateway's recovery key"],
    [layout.memory, "what was backed up last"],
    [layout.log, "the gateway's log"],
    [layout.lock, "the lock"],
  ];
}
