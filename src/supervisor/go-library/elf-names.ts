import type { ElfHeader } from './elf-file.js';

/** A machine as Node names it, and as ELF does. */
const MACHINES: readonly { readonly arch: string; readonly machine: number; readonly name: string }[] = [
  { arch: 'x64', machine: 62, name: 'x86-64' },
  { arch: 'arm64', machine: 183, name: 'arm64' },
  { arch: 'ia32', machine: 3, name: 'x86 (32 bit)' },
  { arch: 'arm', machine: 40, name: 'arm (32 bit)' },
  { arch: 'riscv64', machine: 243, name: 'RISC-V' },
  { arch: 'ppc64', machine: 21, name: 'POWER' },
  { arch: 's390x', machine: 22, name: 's390x' },
  { arch: 'loong64', machine: 258, name: 'LoongArch' },
  { arch: 'mips', machine: 8, name: 'MIPS' },
];

const TYPES: Readonly<Record<number, string>> = {
  1: 'an object file (.o), not linked yet',
  2: 'a program',
  3: 'a shared object',
  4: 'a core dump',
};

const SHARED_OBJECT = 3;

/** How the machine that a file is for is called. */
export function machineName({ machine }: Pick<ElfHeader, 'machine'>): string {
  return MACHINES.find((known) => known.machine === machine)?.name ?? `machine number ${machine}`;
}

/** What kind of file it is: "a program", "a shared object", … */
export function typeName({ type }: Pick<ElfHeader, 'type'>): string {
  return TYPES[type] ?? `an ELF file of type ${type}`;
}

/** Says why a file cannot be loaded on this machine; undefined when its header has nothing against it. */
export function foreignness(header: ElfHeader, arch: string = process.arch): string | undefined {
  if (header.type !== SHARED_OBJECT) {
    return `is ${typeName(header)}, not a shared object: build it with  go build -buildmode=c-shared`;
  }
  const here = MACHINES.find((known) => known.arch === arch);
  const is64BitHere = !['ia32', 'arm', 'mips'].includes(arch);
  const isRight =
    here !== undefined &&
    header.machine === here.machine &&
    header.is64Bit === is64BitHere &&
    header.isLittleEndian;
  if (isRight) return undefined;
  const bits = header.is64Bit ? 64 : 32;
  const order = header.isLittleEndian ? 'little' : 'big';
  const its = `${machineName(header)}, ${bits} bit, ${order} endian`;
  const go = goArch(arch);
  return `is for another machine (${its}): this one is ${here?.name ?? arch}; build it for this one, with  GOARCH=${go}`;
}

function goArch(arch: string): string {
  return { x64: 'amd64', ia32: '386' }[arch] ?? arch;
}
