/** A value and where it stands. Its text goes into a Secret and nowhere else. */
export interface Given {
  readonly text: string
  /** `.env:3`, or the name of a variable. */
  readonly place: string
}

/** One sort of source for the values of Secrets. */
export interface SecretProvider<Spec> {
  /**
   * The values that the source has of `names`, or all that it can list where `names` is undefined. `directory` is what paths are relative to.
   * @throws SECRET-103 when the source cannot be read; the message has no value in it
   */
  read(spec: Spec, names: readonly string[] | undefined, directory: string): Promise<ReadonlyMap<string, Given>>
  /** How a person gives it a value, verb first: `write API_KEY=… into .env`. */
  wayIn(spec: Spec, name: string): string
  /** Files whose change may change what it has, relative to `directory`. */
  files(spec: Spec): readonly string[]
}
