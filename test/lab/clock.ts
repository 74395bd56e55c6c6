import { fromDebian } from './debian.ts'

/** Environment of a program whose clock is that far from this machine's: `+90s`, `-2d`; or as far as a file of this path says at any time. */
export function clockApart(by: { readonly offset: string } | { readonly file: string }): Readonly<Record<string, string>> {
  return {
    LD_PRELOAD: fromDebian('libfaketime', 'usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1'),
    // what measures how long something takes goes on as ever
    FAKETIME_DONT_FAKE_MONOTONIC: '1',
    DONT_FAKE_MONOTONIC: '1',
    ...('offset' in by ? { FAKETIME: by.offset } : { FAKETIME_TIMESTAMP_FILE: by.file, FAKETIME_NO_CACHE: '1' }),
  }
}
