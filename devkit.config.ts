import { defineConfig } from 'devkit'

/** The flagship: a Django guest book from its production manifests. */
export default defineConfig({
  project: 'guestbook',
  manifests: ['examples/django/k8s'],
  services: {
    db: {
      image: 'registry.example.com/guestbook/postgres',
      build: { context: 'examples/django/postgres' },
    },
    migrate: {
      // the same image as web: the Job is told apart by its name
      workload: 'Job/migrate',
      dependsOn: ['db'],
    },
    web: {
      image: 'registry.example.com/guestbook/web',
      build: { context: 'examples/django/web' },
      dependsOn: ['migrate'],
      sync: [{ from: 'examples/django/web/src', to: '/app/src' }],
      ports: [{ port: 'http' }],
    },
  },
  profiles: {
    dev: {
      services: {
        // gunicorn reloads itself when a file changes: a save needs no restart
        web: {
          args: [
            'gunicorn',
            'guestbook.wsgi',
            '--bind=0.0.0.0:8000',
            '--workers=1',
            '--threads=4',
            '--reload',
            '--reload-engine=inotify',
            '--graceful-timeout=1',
          ],
        },
      },
    },
  },
})
