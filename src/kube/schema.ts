import type { Api } from './api.ts'

/** A schema as OpenAPI v3 has it, as far as fields are found by it. */
interface Schema {
  readonly $ref?: string
  readonly allOf?: readonly Schema[]
  readonly properties?: Readonly<Record<string, Schema>>
  readonly items?: Schema
  readonly additionalProperties?: Schema
  readonly 'x-kubernetes-group-version-kind'?: readonly {
    readonly group: string
    readonly version: string
    readonly kind: string
  }[]
}

/**
 * Names of the fields of a kind below a path, by the cluster's own schema; none when it does not tell. Names in the path are fields; items of lists are passed through.
 * @see https://kubernetes.io/docs/concepts/overview/kubernetes-api/#openapi-v3
 */
export async function fieldsOfSchema(
  api: Api,
  { apiVersion, kind, path }: { readonly apiVersion: string; readonly kind: string; readonly path: readonly string[] },
  signal: AbortSignal,
): Promise<readonly string[]> {
  try {
    const prefix = apiVersion.includes('/') ? 'apis' : 'api'
    const document = await api.json<{ readonly components: { readonly schemas: Readonly<Record<string, Schema>> } }>({
      path: `/openapi/v3/${prefix}/${apiVersion}`,
      signal,
    })
    const { schemas } = document.components
    const resolved = (schema: Schema | undefined): Schema | undefined => {
      const ref = schema?.$ref ?? schema?.allOf?.[0]?.$ref
      const target = ref === undefined ? schema : schemas[ref.split('/').at(-1) ?? '']
      return target?.items ? resolved(target.items) : target
    }
    const group = apiVersion.includes('/') ? apiVersion.split('/')[0] : ''
    const version = apiVersion.split('/').at(-1)
    let at = Object.values(schemas).find((schema) =>
      schema['x-kubernetes-group-version-kind']?.some((of) => of.kind === kind && of.group === group && of.version === version),
    )
    for (const name of path) at = resolved(at?.properties?.[name] ?? at?.additionalProperties)
    return Object.keys(at?.properties ?? {})
  } catch {
    signal.throwIfAborted()
    return []
  }
}
