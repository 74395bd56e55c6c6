import { expect, test } from 'vitest'
import { inferRestart } from '../../../src/sync/infer-restart.ts'

const inferred = (line: string) => inferRestart(line.split(' '), ['/app/src']).restart

test.each([
  'gunicorn guestbook.wsgi --bind=0.0.0.0:8000 --reload --reload-engine=inotify',
  'uvicorn main:app --reload',
  'python manage.py runserver 0.0.0.0:8000',
  'flask run --debug',
  'node --watch server.js',
  'nodemon server.js',
  'npx nodemon server.js',
  'npm run dev',
  'bin/rails server',
  'vite --host',
  'next dev',
  'php-fpm',
  'apache2-foreground',
  'nginx -g daemon off;',
  '/usr/local/bin/server --config /etc/server.yaml',
])('%s needs no restart', (line) => expect(inferred(line)).toBe('none'))

test.each([
  'gunicorn guestbook.wsgi --bind=0.0.0.0:8000',
  'python app.py',
  'python3.12 -m uvicorn main:app',
  'python manage.py runserver --noreload',
  'node server.js',
  'npm start',
  'bundle exec puma',
  'perl /app/serve.pl',
  '/app/src/server',
  'java -jar app.jar',
])('%s is restarted in place', (line) => expect(inferred(line)).toBe('process'))

test('a line for a shell is read as its words, and the reason says what was seen', () => {
  expect(inferRestart(['sh', '-c', 'migrate && exec python app.py'], [])).toEqual({
    restart: 'process',
    reason: '`sh -c migrate && exec python app.py` reads its code when it starts',
  })
  expect(inferRestart(['/entrypoint.sh', 'uvicorn', 'main:app', '--reload'], []).reason).toBe(
    'uvicorn --reload takes changed files up by itself',
  )
  expect(inferRestart(undefined, []).restart).toBe('none')
})
