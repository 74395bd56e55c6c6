/**
 * What runs as the first process of a supervised container: it starts the container's own program, starts it anew when asked, and is
 * else as if it were not there.
 *
 *   gate ──'go', or no lease──► program runs ──ends by itself──► its exit code
 *                                ▲      │ 'restart N GRACE'
 *                                └──────┴─ TERM, after GRACE seconds KILL, to its process group; `started.N` when it runs again,
 *                                          `killed.N` too where it had to be killed
 *
 * POSIX sh, for dash, busybox ash and bash. Of other programs only mkfifo is needed, and where there is none the program runs alone.
 * Called as `sh -c SCRIPT devkit DIRECTORY LEASE RUN program…`. In DIRECTORY is the FIFO `ask`; LEASE is the file that a running `watch`
 * writes again and again ('' for none): a number that changes, the time (s since the epoch) until which it can be meant at all, and how many
 * seconds to wait at most while the number stays the same (3).
 * RUN is what stands before the name of a program that is not built into the shell: '' finds it in the image.
 * All signals are passed on, none is taken: what is asked comes through the FIFO.
 *
 * Kubernetes reads a doubled dollar in commands as one: none is in here.
 */
export const supervisorScript = `
dir=$1 lease=$2 run=$3 pid= ending= gated=1 listener= opening= number=0; shift 3
finish() { for one in $listener $opening; do kill "$one" 2>/dev/null; done; exit "$1"; }
pass() {
  # the container's own end has the pod's grace, not a restart's
  case $1 in TERM | INT | QUIT) ending=$2; \${run}rm -f "$dir/again" ;; esac
  [ -z "$pid" ] || kill -s "$1" "$pid" 2>/dev/null
  [ -z "$gated" ] || [ -z "$ending" ] || finish "$ending"
}
trap 'pass HUP 129' HUP; trap 'pass INT 130' INT; trap 'pass QUIT 131' QUIT; trap 'pass TERM 143' TERM
trap 'pass USR1 138' USR1; trap 'pass USR2 140' USR2; trap 'pass WINCH 156' WINCH
\${run}rm -f "$dir/ask" "$dir/again" "$dir/open" "$dir/pid" "$dir"/started.* "$dir"/killed.*
\${run}mkfifo -m 0666 "$dir/ask" 2>/dev/null || {
  echo 'devkit: no FIFO can be made here: the program runs without a supervisor' >&2
  trap - HUP INT QUIT TERM USR1 USR2 WINCH; exec "$@"
}
exec 3<&0 4<>"$dir/ask"
session= reset=
\${run}setsid \${run}true 2>/dev/null && session="\${run}setsid"
# a shell's background programs ignore these two, which the program would inherit
\${run}env --default-signal=INT,QUIT \${run}true 2>/dev/null && reset="\${run}env --default-signal=INT,QUIT"
nap() { \${run}sleep "$1" 2>/dev/null || \${run}sleep 1; }
gone() { ! kill -0 "$1" 2>/dev/null; }
leased() { beat= until=0 most=; read -r beat until most 2>/dev/null <"$lease" && [ "$(\${run}date +%s)" -lt "$until" ]; }
guard() {
  before= same=0 all=0
  while leased && [ "$same" -lt $((\${most:-3} * 5)) ] && [ "$all" -lt 150 ]; do
    if [ "$beat" = "$before" ]; then same=$((same + 1)); else same=0 before=$beat; fi
    all=$((all + 1)); nap 0.2
  done
  echo go >&4
}
end() { kill -s "$1" -- "-$old" 2>/dev/null || kill -s "$1" "$old" 2>/dev/null; }
listen() {
  while read -r word number grace <&4; do
    [ "$word" = restart ] || continue
    read -r old <"$dir/pid"; echo "$number" >"$dir/again"
    end TERM
    { nap "$grace"; [ ! -e "$dir/again" ] || { : >"$dir/killed.$number"; end KILL; }; } & late=$!
    while [ -e "$dir/again" ]; do nap 0.01; done
    kill "$late"
  done
}
# the whole group is gone before another program starts: whoever is left of it has the port
clear() { tries=0; while kill -s KILL -- "-$pid" 2>/dev/null && [ "$tries" -lt 50 ]; do tries=$((tries + 1)); nap 0.01; done; }
if [ -n "$lease" ] && leased; then
  guard 3<&- >/dev/null & listener=$!
  # in the background: a wait heeds signals in every shell, a read does not
  { until read -r word number grace <&4 && [ "$word" != ping ]; do :; done; echo "$word $number" >"$dir/open"; } 3<&- >/dev/null & opening=$!
  until [ -e "$dir/open" ]; do wait "$opening"; done
  kill "$listener" 2>/dev/null; listener=
  read -r word number <"$dir/open"
  [ "$word" = restart ] || number=0
fi
gated=
while :; do
  $session $reset "$@" <&3 3<&- 4<&- &
  pid=$!
  echo "$pid" >"$dir/pid"; : >"$dir/started.$number"; \${run}rm -f "$dir/again"
  [ -z "$ending" ] || kill -s TERM "$pid" 2>/dev/null
  [ -n "$listener" ] || { listen 3<&- >/dev/null 2>&1 & listener=$!; }
  # a signal that is passed on ends the wait too; a second one tells the program's own code where the first could not
  while wait "$pid" 2>/dev/null; code=$?; [ "$code" -gt 128 ] && ! gone "$pid"; do :; done
  wait "$pid" 2>/dev/null; own=$?; [ "$own" -eq 127 ] || code=$own
  [ -z "$session" ] || clear
  [ -z "$ending" ] && [ -e "$dir/again" ] || finish "$code"
  pid=; \${run}rm -f "$dir/started.$number" "$dir/killed.$number"; read -r number <"$dir/again"
done
`.trim()
