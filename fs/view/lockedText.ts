// What LOCKED.txt in an item's folder says.

/** @param command the command line that unlocks, where it is known what that is */
export function lockedText(account: string, command: string | undefined): string {
  const how = command ?? `holdfast vault unlock ${account}`;
  return `The vault of account ${account} is locked. Names of devices and items and the times of snapshots are all
that can be seen; looking into a snapshot answers "Permission denied".

To unlock it for eight hours, run on the gateway's machine and give the account's password:

    ${how} --for 8h

This drive then shows everything at once; it need not be mounted again. Lock it any time with the same command
and "lock" in place of "unlock", without --for.
`;
}
