/**
 * What runs in a container for as long as a session is open, where nodes cannot be entered: a POSIX shell (dash, busybox ash, bash) that
 * reads lines and runs them. devkit sends calls of the functions below, each followed by as many bytes as it says; `dd` takes exactly those
 * from the input, nothing else reads it. A line `+N` says that N bytes of commands come instead of a line (names with newlines, many calls).
 *
 * An answer is a line: the number of the call, how it came out (`ok`, `place` for written over in place, `kept`, `no` with what the
 * program said, `way` and `outside` with why), and `=` ends what one line asked for. Most of a change is built into the shell: a save costs two programs, dd and mv.
 */
export const execScript = String.raw`
LC_ALL=C; export LC_ALL; umask 022; unset CDPATH; U=$(id -u); T=; S=/dev/shm; [ -w "$S" ] || S=/tmp
trap 'eval "$T"' EXIT; trap 'exit 0' HUP TERM
say() { printf '%s\n' "$1 $2 $3"; }
no() { say "$1" "$w" "$(printf %s "$e" | tr '\n' ' ')"; }
skip() { [ "$1" = 0 ] || dd bs=65536 count="$1" iflag=fullblock,count_bytes >/dev/null 2>&1; }
own() { # what it takes its owner from, what
  [ "$U" = 0 ] || return 0
  [ -O "$1" ] && [ -G "$1" ] && return 0
  chown "$(stat -c %u:%g "$1")" "$2" 2>/dev/null; return 0
}
inside() { # root, path, a directory that exists
  [ "$2" = "$1" ] || [ "$1" = / ] || ! [ -e "$1" ] && return 0
  w=no; e="$3: Permission denied"
  cd -P "$1" 2>/dev/null && r=$PWD && cd -P "$3" 2>/dev/null || { cd /; return 1; }
  d=$PWD; cd /
  case $d/ in "$r"/*) return 0;; esac
  w=outside; e="$2: a symlink leads out of $1"; return 1
}
make() { # a directory, and those that it is in
  [ -d "$1" ] && return 0
  set -- "$1" "\${1%/*}"
  make "\${2:-/}" || return 1
  w=no; e=$(mkdir "$1" 2>&1) || [ -d "$1" ] || return 1
  own "\${2:-/}" "$1"
}
place() { # root, path, its directory
  u=$3
  until [ -d "$u" ]; do
    if [ -e "$u" ] || [ -L "$u" ]; then w=way; e="$u is no directory in the container"; return 1; fi
    u=\${u%/*}; u=\${u:-/}
  done
  inside "$1" "$2" "$u" && make "$3"
}
generated() {
  f=$(find "$1" -mindepth 1 \( -name __pycache__ -o -name '*.py[co]' -o -name .pytest_cache -o -name .mypy_cache -o -name .ruff_cache -o -name '*.egg-info' -o -name .sass-cache -o -name .parcel-cache -o -name .cache -o -name .DS_Store -o -name '.devkit-*' \) -prune -o ! -type d -print 2>&1) && [ -z "$f" ]
}
clear_away() { # what stands where a file goes
  [ -d "$1" ] && ! [ -L "$1" ] || return 0
  generated "$1" && w=no && e=$(rm -rf -- "$1" 2>&1) && return 0
  w=way; e="$1 is a directory in the container"; return 1
}
finish() { # call, mode, path, its directory, temporary
  [ "$2" = 644 ] || chmod "$2" "$5"
  if [ -e "$3" ]; then own "$3" "$5"; else own "$4" "$5"; fi
  if e=$(mv -f "$5" "$3" 2>&1); then T=; say "$1" ok; return; fi
  case $e in *[Bb]usy*) over "$1" "$3" "$5"; return;; esac
  w=no; rm -f -- "$5"; T=; no "$1"
}
over() { # call, path, temporary: a mounted file can only be written over
  if e=$(cat "$3" 2>&1 > "$2"); then say "$1" place; else w=no; no "$1"; fi
  rm -f -- "$3"; T=
}
fresh() { t=$1; T='rm -f -- "$t"'; w=no; e=$(true 2>&1 > "$1"); }
put() { # call, size, mode, root, path, its directory, temporary; the content follows
  if place "$4" "$5" "$6" && clear_away "$5" && fresh "$7"; then
    if [ "$2" = 0 ] || e=$(dd bs="$2" count=1 iflag=fullblock 2>&1 >> "$7"); then finish "$1" "$3" "$5" "$6" "$7"
    else w=no; rm -f -- "$7"; T=; no "$1"; fi
  else skip "$2"; T=; no "$1"; fi
}
mounted() { # call, size, path, name of a temporary; the content follows
  set -- "$1" "$2" "$3" "$S/$4"
  if fresh "$4"; then
    if [ "$2" = 0 ] || e=$(dd bs=65536 count="$2" iflag=fullblock,count_bytes 2>/dev/null | { cat 2>&1 >> "$4"; r=$?; cat > /dev/null; exit $r; }); then over "$1" "$3" "$4"
    else w=no; rm -f -- "$4"; T=; no "$1"; fi
  else skip "$2"; T=; no "$1"; fi
}
big() { # as put; after the content a line says whether it is good
  if place "$4" "$5" "$6" && clear_away "$5" && fresh "$7"; then
    if e=$(dd bs=262144 count="$2" iflag=fullblock,count_bytes 2>/dev/null | { cat 2>&1 >> "$7"; r=$?; cat > /dev/null; exit $r; }); then
      read -r v; if [ "$v" = good ]; then finish "$1" "$3" "$5" "$6" "$7"; else rm -f -- "$7"; T=; say "$1" dropped; fi
    else read -r v; w=no; rm -f -- "$7"; T=; no "$1"; fi
  else skip "$2"; read -r v; T=; no "$1"; fi
}
link() { # call, root, path, its directory, name, a temporary directory, where it leads
  if place "$2" "$3" "$4" && clear_away "$3" && w=no && e=$(mkdir "$6" 2>&1); then
    t=$6; T='rm -rf -- "$t"'
    if e=$(ln -s -- "$7" "$6/$5" 2>&1) && e=$(mv -f "$6/$5" "$4/" 2>&1); then say "$1" ok; else no "$1"; fi
    rm -rf -- "$6"; T=
  else no "$1"; fi
}
directory() { # call, mode, root, path, the one that it is in
  if place "$3" "$4" "$5"; then
    if [ -d "$4" ]; then if inside "$3" "$4" "$4"; then say "$1" ok; else no "$1"; fi
    elif [ -e "$4" ] || [ -L "$4" ]; then w=way; e="$4 is no directory in the container"; no "$1"
    elif w=no && e=$(mkdir "$4" 2>&1); then own "$5" "$4"; [ "$2" = 755 ] || chmod "$2" "$4"; say "$1" ok
    else no "$1"; fi
  else no "$1"; fi
}
del() { # call, root, path, its directory
  [ -e "$3" ] || [ -L "$3" ] || { say "$1" ok; return; }
  inside "$2" "$3" "$4" || { no "$1"; return; }
  if [ -d "$3" ] && ! [ -L "$3" ]; then
    if rmdir "$3" 2>/dev/null; then say "$1" ok; return; fi
    generated "$3" || { say "$1" kept; return; }
    set -- "$1" -rf "$3"
  else set -- "$1" -f "$3"; fi
  w=no; if e=$(rm "$2" -- "$3" 2>&1); then say "$1" ok; else no "$1"; fi
}
same() { [ "$U" = 0 ] && { [ -O "$1" ] && [ -G "$1" ]; }; }
fits() { # number, path, its directory: whether the file can be unpacked and moved there with others, as it will be
  if [ -d "$2" ] && ! [ -L "$2" ]; then return; fi
  if [ "$U" != 0 ]; then say "$1" fits; elif [ -e "$2" ]; then same "$2" && say "$1" fits; else same "$3" && say "$1" fits; fi
}
unpack() { # size; an archive follows, of files in directories that are ours for a moment
  if e=$(dd bs=65536 count="$1" iflag=fullblock,count_bytes 2>/dev/null | { tar xmpf - -C / 2>&1; r=$?; cat > /dev/null; exit $r; }); then return 0; fi
  eval "$T"; T=; return 1
}
there() { [ -e "$2" ] || [ -L "$2" ] || say "$1" missing; }
tell() { # call, FIFO, line: waits a moment for a reader
  [ -p "$2" ] || { say "$1" nobody; return; }
  printf '%s\n' "$3" 2>/dev/null >"$2" & writer=$!
  { sleep 0.2 2>/dev/null || sleep 1; kill "$writer"; } >/dev/null 2>&1 </dev/null & late=$!
  if wait "$writer" 2>/dev/null; then say "$1" told; else say "$1" nobody; fi
  kill "$late" 2>/dev/null; wait "$late" 2>/dev/null
}
sig() { # call, signal
  case $(cat /proc/1/comm 2>/dev/null) in pause) w=no; e="the pod shares its processes, the first is not the container's"; no "$1"; return;; esac
  w=no; if e=$(kill -s "$2" 1 2>&1); then say "$1" ok; else no "$1"; fi
}
probe() { # what devkit needs of the image
  [ "$(dd bs=3 count=1 iflag=fullblock 2>/dev/null)" = abc ] || { echo "0 no dd takes no iflag=fullblock"; exit 0; }
  for p in mv rm mkdir cat chmod ln tr find; do command -v "$p" >/dev/null 2>&1 || { echo "0 no there is no $p"; exit 0; }; done
  echo "0 ok $U $(id -g)"; while read -r _ _ _ _ p _; do printf '0 mount %s\n' "$p"; done < /proc/self/mountinfo; echo =
}
read -r c; probe
while IFS= read -r c; do
  case $c in +*) eval "$(dd bs="\${c#+}" count=1 iflag=fullblock 2>/dev/null)";; *) eval "$c";; esac
  echo =
done
`.replaceAll('\\${', '${')
