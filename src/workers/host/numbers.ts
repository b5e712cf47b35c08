/** Rounded to two decimals, as all percentages are. */
export function twoDecimals(value: number): number {
  return Math.round(value * 100) / 100;
}

/** A share in percent with two decimals; 0 of nothing. */
export function percentOf(part: number, whole: number): number {
  return whole > 0 ? twoDecimals((part / whole) * 100) : 0;
}

/** Whole MiB, cut off. */
export function wholeMebibytes(bytes: number): number {
  return Math.floor(bytes / 2 ** 20);
}

/** How much a counter grew; undefined when it went back or one of them is not known. */
export function growth(now: number | undefined, before: number | undefined): number | undefined {
  return now === undefined || before === undefined || now < before ? undefined : now - before;
}

/** The numbers of a line, separated by blanks. */
export function numbersOf(text: string): number[] {
  return text.trim().split(/\s+/).map(Number);
}
