/** An image without its tag and digest. */
export function repositoryOf(image: string): string {
  const [name = ''] = image.split('@')
  const slash = name.lastIndexOf('/')
  const colon = name.lastIndexOf(':')
  return colon > slash ? name.slice(0, colon) : name
}
