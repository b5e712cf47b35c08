/** Foreign text for use inside a sentence: in double quotes, control characters escaped, cut at `lengthMax` characters. */
export function quoted(text: string, lengthMax: number): string {
  return JSON.stringify(text.length > lengthMax ? `${text.slice(0, lengthMax)}…` : text);
}
