/** Text in UTF-8, without the byte order mark that some editors put before it. @throws Error for any other encoding */
export function utf8(bytes: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch (cause) {
    throw new Error('it is no text in UTF-8', { cause })
  }
}
