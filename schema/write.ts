/** Writes the JSON Schemas of what devkit prints for programs. Part of `npm run build`; a test holds the committed files equal to it. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { toJsonSchema } from '@valibot/to-json-schema'
import { diffSchema } from '../src/events/diff.ts'
import { eventSchema } from '../src/events/event.ts'
import { statusSchema } from '../src/events/status.ts'

const schemas = {
  'events.json': { schema: eventSchema, title: 'One line of `devkit … --json`' },
  'diff.json': { schema: diffSchema, title: 'The document of `devkit diff --json`' },
  'status.json': { schema: statusSchema, title: 'The document of `devkit status --json`' },
}

/** File name → its text. */
export function schemaFiles(): ReadonlyMap<string, string> {
  return new Map(
    Object.entries(schemas).map(([file, { schema, title }]) => {
      const { $schema, ...rest } = toJsonSchema(schema)
      return [file, `${JSON.stringify({ $schema, title, ...rest }, null, 2)}\n`]
    }),
  )
}

if (import.meta.main) for (const [file, text] of schemaFiles()) writeFileSync(join(import.meta.dirname, file), text)
