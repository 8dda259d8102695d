/** File systems by the magic numbers of statfs(2). Pure. */

/** What kind of a file system something lies on. */
export interface FileSystemKind {
  readonly name: string;
  /** Other machines change it too: no events come of that, and it may show late. */
  readonly isShared?: true;
  readonly isMemory?: true;
}

const FILE_SYSTEMS: ReadonlyMap<number, FileSystemKind> = new Map([
  [0xef53, { name: "ext4" }],
  [0x58465342, { name: "xfs" }],
  [0x9123683e, { name: "btrfs" }],
  [0x2fc12fc1, { name: "zfs" }],
  [0x01021994, { name: "tmpfs", isMemory: true }],
  [0x794c7630, { name: "overlayfs" }],
  [0x6969, { name: "NFS", isShared: true }],
  [0x65735546, { name: "FUSE (sshfs and the like)", isShared: true }],
  [0x0bd00bd0, { name: "Lustre", isShared: true }],
  [0x47504653, { name: "GPFS", isShared: true }],
  [0x19830326, { name: "BeeGFS", isShared: true }],
  [0xff534d42, { name: "CIFS", isShared: true }],
  [0xfe534d42, { name: "SMB2", isShared: true }],
  [0x00c36400, { name: "CephFS", isShared: true }],
  [0x5346414f, { name: "AFS", isShared: true }],
]);

/** One that is not known has its number for a name, and may well be shared. */
export function fileSystemKind(type: number): FileSystemKind & { readonly isUnknown?: true } {
  const number = type >>> 0;
  return FILE_SYSTEMS.get(number) ?? { name: `file system of type 0x${number.toString(16)}`, isUnknown: true };
}
