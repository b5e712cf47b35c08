import { readKernelFile } from './kernel-file.js';

/** A mounted file system that is measured. */
export interface Mount {
  readonly path: string;
  readonly readOnly: boolean;
  /** On a device of this machine; others may depend on somebody else's, and hang. */
  readonly local: boolean;
}

interface MountLine {
  /** The kernel's number of the file system, which bind mounts of it share. */
  readonly device: string;
  /** Folder of the file system that is mounted. */
  readonly root: string;
  readonly path: string;
  readonly options: readonly string[];
  readonly type: string;
  readonly source: string;
}

/**
 * The real file systems of this machine, each once: those on devices first, as others may hang. Of bind mounts the one
 * of the whole file system counts, or else the shortest path.
 */
export function readMounts(proc: string): readonly Mount[] {
  const byDevice = new Map<string, MountLine>();
  for (const line of visibleMounts(readKernelFile(`${proc}/self/mountinfo`, 'utf8') ?? '')) {
    if (!isReal(line) || isOfContainer(line)) continue;
    const known = byDevice.get(line.device);
    if (known === undefined || isBetter(line, known)) byDevice.set(line.device, line);
  }
  const mounts = Array.from(byDevice.values(), ({ path, options, source }) => ({
    path,
    // The mount's own options: a file system that went read-only by itself after an error is no good.
    readOnly: options.includes('ro'),
    local: source.startsWith('/dev/'),
  }));
  return mounts.sort((one, other) => Number(other.local) - Number(one.local));
}

/** Mounts over one another on the same path: only the last one can be reached. */
function visibleMounts(text: string): Iterable<MountLine> {
  const byPath = new Map<string, MountLine>();
  for (const text_ of text.split('\n')) {
    const line = parseLine(text_);
    if (line !== undefined) byPath.set(line.path, line);
  }
  return byPath.values();
}

/** `36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 - ext3 /dev/root rw,errors=continue`, see proc(5). */
function parseLine(text: string): MountLine | undefined {
  const separator = text.indexOf(' - ');
  if (separator < 0) return undefined;
  const [, , device, root, path, options] = text.slice(0, separator).split(' ');
  const [type, source = ''] = text.slice(separator + 3).split(' ');
  if (device === undefined || root === undefined || path === undefined || type === undefined)
    return undefined;
  return {
    device,
    root: unescaped(root),
    path: unescaped(path),
    options: options?.split(',') ?? [],
    type,
    source: unescaped(source),
  };
}

/** Blanks, tabs, line ends and backslashes stand there as three octal digits. */
function unescaped(text: string): string {
  return text.replace(/\\([0-7]{3})/g, (_, digits: string) =>
    String.fromCharCode(Number.parseInt(digits, 8)),
  );
}

function isBetter(one: MountLine, other: MountLine): boolean {
  if (one.root !== other.root) {
    if (one.root === '/') return true;
    if (other.root === '/') return false;
  }
  return one.path.length < other.path.length;
}

/** On no device of this machine, and real all the same. */
const REAL_TYPES: ReadonlySet<string> = new Set(
  `zfs btrfs bcachefs nfs nfs4 cifs smb3 smbfs ceph 9p virtiofs lustre gpfs afs ocfs2 gfs2 beegfs glusterfs
  fuseblk vboxsf vmhgfs prl_fs drvfs`.split(/\s+/),
);

/** FUSE file systems that show something else than files on a disk or on another machine. */
const FUSE_VIEWS: ReadonlySet<string> = new Set(
  `lxcfs gvfsd-fuse portal snapfuse squashfuse archivemount avfsd fuse-overlayfs fuse-archive
  dumpfs`.split(/\s+/),
);

/** Images of programs and media: always full, and nobody can change that. */
const IMAGES: ReadonlySet<string> = new Set(['squashfs', 'iso9660', 'udf', 'erofs', 'cramfs']);

const NOT_ON_A_DEVICE: ReadonlySet<string> = new Set([
  'devtmpfs',
  'tmpfs',
  'overlay',
  'aufs',
  'autofs',
  'ramfs',
]);

function isReal({ type, source }: MountLine): boolean {
  if (IMAGES.has(type) || NOT_ON_A_DEVICE.has(type)) return false;
  if (type.startsWith('fuse.')) return !FUSE_VIEWS.has(type.slice(5));
  return REAL_TYPES.has(type) || source.startsWith('/dev/');
}

/** Folders in which programs that run containers mount what belongs to these. */
const CONTAINER_PATHS =
  /^\/(?:var\/lib\/(?:docker|containers|containerd|kubelet|lxc|lxd|incus|rkt|cni)|run\/(?:containerd|docker|netns|user|credentials)|var\/run\/(?:docker|netns)|snap|var\/snap|var\/lib\/snapd)\//;
/** What such a program puts into a container from the host's disk: single files, and folders of its own. */
const CONTAINER_FILES = /^\/(?:etc\/(?:hosts|hostname|resolv\.conf)|dev\/termination-log|\.dockerenv)$/;
const CONTAINER_ROOTS = /\/(?:docker|containers|containerd|kubelet|pods)\//;

function isOfContainer({ path, root }: MountLine): boolean {
  return CONTAINER_PATHS.test(path) || CONTAINER_FILES.test(path) || CONTAINER_ROOTS.test(root);
}
