import type { PagesOf } from './page.ts'

/** The container engine. */
export const enginePages: PagesOf<'ENGINE'> = {
  'ENGINE-101': {
    means:
      'Nothing answers at the address of the container engine: DOCKER_HOST, the machine’s settings, the Docker context or the usual sockets.',
    looks: `✗ ENGINE-101 No container engine answers at unix:///var/run/docker.sock.
  → Start it (Docker Desktop, \`colima start\`, \`sudo systemctl start docker\`, or \`npm run lab\` in devkit’s repository), or name another in DOCKER_HOST or in the machine settings file.`,
    causes: [
      'The engine is not running.',
      'It is only just starting, or so busy that it takes connections and says nothing.',
      'DOCKER_HOST or the Docker context names an engine that is gone.',
      'No engine is installed.',
    ],
    remedies: [
      'Start the engine; `docker version` tells when it answers.',
      'Look at DOCKER_HOST and at `docker context ls`; `devkit config --machine` shows the address that devkit takes.',
      'Restart the engine if it takes connections and does not answer.',
    ],
  },
  'ENGINE-102': {
    means: 'The socket of the container engine is there, and this user may not open it.',
    looks: `✗ ENGINE-102 This user may not use the container engine at unix:///var/run/docker.sock.
  → Add the user to the group of the socket (\`sudo usermod -aG docker $USER\`, then log in again), or run a rootless engine.`,
    causes: ['The user is not in the group of the socket.', 'The user was added to the group and has not logged in again since.'],
    remedies: [
      'Add the user with `sudo usermod -aG docker $USER`, then log in again. Whoever is in that group has the rights of root.',
      'Use a rootless engine in its place.',
    ],
  },
  'ENGINE-103': {
    means: 'The container engine answered a request with an error. The message has its own words.',
    looks: `✗ ENGINE-103 The container engine at unix:///var/run/docker.sock says: conflict: the image is used by a running container.
  → Read the engine’s log.`,
    causes: [
      'The container or image that was asked for went in the meantime.',
      'It refuses what was asked for: a name, port or directory that is taken or not there.',
    ],
    remedies: ['Read what it says; `journalctl -u docker` or the log of Docker Desktop has more.', 'Restart the engine.'],
  },
  'ENGINE-104': {
    means:
      'The disk that the container engine has its images, volumes and build cache on is full, or nearly: in `devkit doctor`, below 5 GiB is a warning, below 1 GiB a failure. A build, a new cluster or an image on its way into the node that ends for want of room is told with this code too, in the words of whoever found no room. Where the engine runs in a virtual machine, it is that machine’s disk, whatever this one has free.',
    looks: `✗ ENGINE-104 The disk of the container engine is full, so the image of web does not build: write /app/bundle.js: no space left on device.
  → \`docker builder prune\` empties the build cache, \`docker image prune --all\` removes images that no container uses; or give the engine a larger disk. \`devkit doctor\` shows what takes the room.`,
    causes: [
      'Images of earlier builds and of other projects have piled up.',
      'The build cache has grown.',
      'Volumes of clusters and databases that nobody needs are still there.',
      'The virtual machine of the engine has a small disk.',
      'One step of a build writes more than there is room for.',
    ],
    remedies: [
      'See what takes the room: `docker system df -v`.',
      'Remove images that no container uses with `docker image prune --all`, and the build cache with `docker builder prune`.',
      'Look through `docker volume ls` before you remove any: they hold data.',
      'Give the engine a larger disk in the settings of Docker Desktop, or with `colima start --disk 100`.',
    ],
  },
  'ENGINE-105': {
    means:
      'The clock of the container engine’s machine, or of an API server, is more than 2 s from this machine’s. The containers have the same clock. From 5 minutes on it is a failure: certificates and tokens are not valid yet, or no more. What meets a certificate that is not valid yet says so with this code at once; one that has ended is CLUSTER-104.',
    looks: `! ENGINE-105 the clock of the container engine is 41.2 s behind this machine's
  → Restart what the engine runs in (Docker Desktop, \`colima restart\`, \`wsl --shutdown\`), or set the clocks by the network: \`sudo timedatectl set-ntp true\`.`,
    causes: [
      'The machine slept, and the virtual machine of the engine stood still meanwhile.',
      'One of the two is not set by the network.',
      'Somebody has set a clock by hand.',
    ],
    remedies: [
      'Restart what the engine runs in: Docker Desktop, `colima restart`, `wsl --shutdown`.',
      'Let both be set by the network: `sudo timedatectl set-ntp true`.',
      'See by how much they are apart: `devkit doctor`.',
      'Make the cluster anew where its certificates are not accepted any more: `devkit down`, then `devkit up`.',
    ],
  },
  'ENGINE-106': {
    means:
      'A warning of `devkit doctor`: the container engine has less than 2 CPUs or 2 GiB of memory. A node of Kubernetes alone takes about one CPU and 0.7 GiB.',
    looks: `! ENGINE-106 1 CPU, 1.9 GiB of memory
  → Give it 2 CPUs and 2 GiB at least: in the settings of Docker Desktop, or \`colima start --cpu 4 --memory 8\`.`,
    causes: [
      'The engine runs in a virtual machine with the size that it was made with.',
      'The machine itself is small, as those of some CI systems are.',
    ],
    remedies: [
      'Give the virtual machine more in the settings of Docker Desktop, with `colima start --cpu 4 --memory 8`, or in `.wslconfig`.',
      'Lower requests and leave out what is not needed in the profile.',
    ],
  },
}
