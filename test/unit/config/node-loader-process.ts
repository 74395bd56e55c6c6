import { loadConfig } from '../../../src/config/load.ts'
import { parseOverride } from '../../../src/config/overrides.ts'
import { DevkitError } from '../../../src/lib/errors.ts'
import type { Loaded, LoadRequest } from './node-loader.ts'

async function load({ set = [], ...request }: LoadRequest): Promise<Loaded> {
  const files: string[] = []
  const onFile = (file: string): void => void files.push(file)
  try {
    const overrides = await Promise.all(set.map(parseOverride))
    const shipped = { dev: {}, ci: { extends: 'dev' } }
    const { config, warnings } = await loadConfig({ ...request, shipped, overrides, onFile })
    return { config, warnings: warnings.map(({ code, hint }) => ({ code, hint })), files }
  } catch (thrown) {
    if (!(thrown instanceof DevkitError)) throw thrown
    return { code: thrown.code, message: thrown.message, hint: thrown.hint, files }
  }
}

process.on('message', (request) => {
  void load(request as LoadRequest).then((loaded) => process.send?.(loaded))
})
