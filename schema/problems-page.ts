import { codes, type Explained, explain } from '../src/explain/explain.ts'

/** docs/problems.md: a table of all codes, then a part for each. */
export function problemsPage(): string {
  const all = codes.map(explain)
  const rows = all.map(({ code, summary, exit }) => `| [${code}](#${code.toLowerCase()}) | ${summary} | ${exit} |`)
  return `# Problems

Every problem that devkit reports, by its code. The message says what happened here and the hint what to do next; \`devkit explain READY-104\` prints what
stands here about one, \`devkit explain --list\` has them all. Codes never change meaning. This page is made from the code: npm run build.

| Code | Meaning | Exit code |
|---|---|---|
${rows.join('\n')}
${all.map(partOf).join('')}`
}

function partOf({ code, summary, means, looks, causes, remedies }: Explained): string {
  return `
## <a id="${code.toLowerCase()}"></a>${code}: ${summary}

${means}

\`\`\`text
${looks}
\`\`\`

Causes, the likeliest first:

${causes.map((cause, index) => `${index + 1}. ${cause}\n`).join('')}
What to do:

${remedies.map((remedy) => `- ${remedy}\n`).join('')}`
}
