/** The parser inside the package `toml`: it gives the document's nodes with their places in the text. */
declare module 'toml/lib/parser.js' {
  interface TomlAssign {
    readonly type: 'Assign';
    readonly key: string | readonly string[];
    readonly value: TomlValue;
    /** Characters from the start of the text. */
    readonly offset: number;
  }

  /** A key of an inline table. */
  interface TomlInlineAssign extends Omit<TomlAssign, 'type'> {
    readonly type: 'InlineTableValue';
  }

  export interface TomlHeader {
    readonly type: 'ObjectPath' | 'ArrayPath';
    readonly value: readonly string[];
    readonly offset: number;
  }

  interface TomlArray {
    readonly type: 'Array';
    readonly value: readonly TomlValue[];
    readonly offset: number;
  }

  interface TomlInlineTable {
    readonly type: 'InlineTable';
    readonly value: readonly TomlInlineAssign[];
    readonly offset: number;
  }

  interface TomlScalar {
    readonly type:
      | 'String'
      | 'Integer'
      | 'Float'
      | 'Boolean'
      | 'Date'
      | 'LocalDateTime'
      | 'LocalDate'
      | 'LocalTime';
    readonly value: unknown;
    readonly offset: number;
  }

  export type TomlValue = TomlScalar | TomlArray | TomlInlineTable;
  export type TomlNode = TomlAssign | TomlHeader;

  const parser: {
    parse(text: string): readonly TomlNode[];
    readonly SyntaxError: new (...parts: never[]) => Error;
  };
  export default parser;
}
