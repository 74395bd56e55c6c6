/**
 * Writes the JSON Schemas of the config and of what devkit prints for programs, the part of docs/config.md that says the same to people, and docs/problems.md.
 * Part of `npm run build`; tests hold the committed files equal to it.
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { toJsonSchema } from '@valibot/to-json-schema'
import type * as v from 'valibot'
import { configSchema } from '../src/config/schema.ts'
import { shownConfigSchema } from '../src/events/config.ts'
import { diffSchema } from '../src/events/diff.ts'
import { doctorSchema } from '../src/events/doctor.ts'
import { eventSchema } from '../src/events/event.ts'
import { explanationSchema } from '../src/events/explanation.ts'
import { statusSchema } from '../src/events/status.ts'
import { configTables } from './config-tables.ts'
import { problemsPage } from './problems-page.ts'

const schemas = {
  'config.json': { schema: configSchema, title: 'A devkit config: devkit.config.json, .yaml, or what a program exports' },
  'doctor.json': { schema: doctorSchema, title: 'The document of `devkit doctor --json`' },
  'events.json': { schema: eventSchema, title: 'One line of `devkit … --json`' },
  'diff.json': { schema: diffSchema, title: 'The document of `devkit diff --json`' },
  'explanation.json': { schema: explanationSchema, title: 'The document of `devkit explain --json`' },
  'resolved-config.json': { schema: shownConfigSchema, title: 'The document of `devkit config --json`' },
  'status.json': { schema: statusSchema, title: 'The document of `devkit status --json`' },
}

/** As people write it: what has a default may be left out. Functions are for programs only, so nothing is said of them. */
function jsonSchemaOf(schema: v.GenericSchema) {
  return toJsonSchema(schema, {
    typeMode: 'input',
    errorMode: 'ignore',
    overrideSchema: ({ valibotSchema, jsonSchema }) => {
      const { key } = valibotSchema as { readonly key?: { readonly options?: string[] } }
      return typeof key === 'object' && key.options ? { ...jsonSchema, propertyNames: { enum: key.options } } : undefined
    },
  })
}

/** File name → its text. */
export function schemaFiles(): ReadonlyMap<string, string> {
  return new Map(
    Object.entries(schemas).map(([file, { schema, title }]) => {
      const { $schema, ...rest } = jsonSchemaOf(schema)
      return [file, `${JSON.stringify({ $schema, title, ...rest }, null, 2)}\n`]
    }),
  )
}

const page = join(import.meta.dirname, '../docs/config.md')
const mark = '<!-- From here on made from the schema: npm run build -->\n'

/** docs/config.md as it has to be: what people wrote, and below the mark what the schema says. */
export function configPage(): string {
  const [written = ''] = readFileSync(page, 'utf8').split(mark)
  return written + mark + configTables(jsonSchemaOf(configSchema))
}

if (import.meta.main) {
  for (const [file, text] of schemaFiles()) writeFileSync(join(import.meta.dirname, file), text)
  writeFileSync(page, configPage())
  writeFileSync(join(import.meta.dirname, '../docs/problems.md'), problemsPage())
}
