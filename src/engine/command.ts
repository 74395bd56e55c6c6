import type { Kube } from '../kube/kube.ts'
import { DevkitError } from '../lib/errors.ts'
import type { ContainerRef } from '../sync/transport.ts'

/** The last so many characters of its output are shown when a command fails. */
const tailLength = 4000

/** A command of the config; one text is a line for `sh -c`. */
export interface CommandInContainer {
  readonly service: string
  readonly command: string | readonly string[]
}

/** Runs a command in a container to its end. @throws SYNC-112 when it fails */
export async function runIn(
  kube: Kube,
  ref: ContainerRef,
  { service, command }: CommandInContainer,
  signal: AbortSignal,
): Promise<void> {
  const words = typeof command === 'string' ? ['sh', '-c', command] : command
  const shown = typeof command === 'string' ? command : command.join(' ')
  await using stream = await kube.exec(
    { namespace: ref.namespace, pod: ref.pod, container: ref.name, command: words, stdin: false },
    signal,
  )
  let output = ''
  for (const readable of [stream.stdout, stream.stderr])
    readable.setEncoding('utf8').on('data', (chunk: string) => {
      output = (output + chunk).slice(-tailLength)
    })
  const end = await stream.ended
  signal.throwIfAborted()
  if (end.how === 'exited' && end.exitCode === 0) return
  const why =
    end.how === 'exited'
      ? `ended with ${end.exitCode}`
      : end.how === 'failed'
        ? `could not be run: ${end.message}`
        : 'was cut off'
  throw new DevkitError('SYNC-112', {
    message: `\`${shown}\` in ${service} (${ref.pod}) ${why}.`,
    hint: 'Mend what the lines below say; the next sync of its paths runs it again.',
    detail: output.trim() === '' ? undefined : output.trim(),
    service,
    object: `Pod/${ref.pod}`,
  })
}
