/**
 * What runs in a node for as long as a session is open: reads frames, changes files in containers, answers each change.
 *
 * Perl, because every Debian-made node image has it and because it can change its root, work, and come back without another process:
 * inside the container's root an absolute symlink leads where it leads in the container, never to the node. Nothing of the container
 * is needed (no shell, no tar, no writable user).
 *
 * A frame is a 32-bit big-endian length, then a letter, a 32-bit sequence number, and what the letter asks for:
 *   W F M L D  container id, root of the rule, path, mode, data (each a 32-bit length and bytes)
 *              W a whole file, F begins a file, M directory, L symlink to data, D delete
 *   A C X      data of the file begun with this sequence number; C mode: it is whole; X it is not to be
 *   P T S K    the same fields as W: P which paths exist, T a line into a FIFO, S a signal, K a file of the node in /run/devkit
 * An answer is a 32-bit length, the sequence number, and two fields: how it came out (`ok`, or a reason) and what was said.
 *
 * A container's process is the one that the runtime names; it is held by its directory in /proc and checked by its start time, so that
 * a reused pid is never written to. Mount points are read from its mountinfo: seen from the node, a rename over one takes it away.
 */
export const nodeScript = String.raw`
use strict; use warnings; no warnings 'once';
use Cwd (); use Fcntl qw(O_RDONLY O_WRONLY O_RDWR O_CREAT O_EXCL O_NONBLOCK);
binmode STDIN; binmode STDOUT; umask 022; $SIG{PIPE} = 'IGNORE';
fcntl STDIN, 1031, 1 << 20; # F_SETPIPE_SZ: fewer turns for big files
opendir(my $node, '/') or die "open /: $!\n";
my ($in, $at, $out, $inside) = ('', 0, '', '');
my (%task, %file, %mount, %safe, $read_only);
my $generated = qr/^(?:__pycache__|.*\.py[co]|\.pytest_cache|\.mypy_cache|\.ruff_cache|.*\.egg-info|\.sass-cache|\.parcel-cache|\.cache|\.DS_Store|\.devkit-\d+-\d+)\z/s;

# -- saying no
sub refuse { die [@_] }
sub failed {
  my ($path, $errno) = (@_, $! + 0); local $! = $errno;
  my %reason = (28 => 'no space', 122 => 'no space', 30 => 'read-only', 13 => 'no permission', 1 => 'no permission', 20 => 'in the way', 21 => 'in the way', 16 => 'in the way', 17 => 'in the way');
  refuse($reason{$errno} || 'other', "$path: $!");
}
sub gone { my ($id) = @_; delete $task{$id}; refuse('ended', 'the container has ended') }

# -- into a container and back
sub started { my ($stat) = @_; open(my $f, '<', $stat) or return ''; my $line = <$f>; close $f; defined $line && $line =~ s/.*\) (?!Z)//s ? (split / /, $line)[19] : '' }
sub slurp { my ($path) = @_; open(my $f, '<', $path) or return ''; local $/; my $all = <$f>; close $f; defined $all ? $all : '' }
sub find_task {
  my ($id) = @_;
  # the runtime's own note; the cgroup says that the pid is still the container's
  my ($pid) = slurp("/run/containerd/io.containerd.runtime.v2.task/k8s.io/$id/init.pid") =~ /^(\d+)/;
  if (defined $pid) { my $start = started("/proc/$pid/stat"); return $task{$id} = { pid => $pid, start => $start } if $start ne '' && index(slurp("/proc/$pid/cgroup"), $id) >= 0 }
  if (open(my $ctr, '-|', 'ctr', '--namespace=k8s.io', 'tasks', 'ls')) {
    while (<$ctr>) { my ($name, $of) = split; $task{$name} = { pid => $of, start => started("/proc/$of/stat") } if defined $of && $name eq $id && $of =~ /^[1-9]\d*$/ }
    close $ctr;
  }
  $task{$id} || gone($id);
}
sub enter { # with a path: to where that can be written
  my ($id, $path) = @_;
  enter_own($id);
  return unless $read_only && defined $path;
  # a root that its container may not write is written where the runtime has put it together; what is mounted in it is not there
  my $dir = upper($path); $dir = upper($dir) until -d $dir;
  my $real = Cwd::abs_path($dir);
  return if !defined $real || mounted($path) || grep { $_ ne '/' && is_below($real, $_) } map { @$_ } values %mount;
  leave(); %safe = ();
  chdir "/run/containerd/io.containerd.runtime.v2.task/k8s.io/$id/rootfs" or return enter_own($id);
  chroot '.' or gone($id);
  $inside = "$id below"; chdir '/';
}
sub enter_own {
  my ($id) = @_;
  return if $inside eq $id;
  leave();
  $id =~ /^[\w.-]+\z/ or gone($id);
  my $t = $task{$id} || find_task($id);
  chdir "/proc/$t->{pid}" or gone($id);
  $t->{start} ne '' && started('stat') eq $t->{start} or gone($id);
  %mount = (); %safe = (); $read_only = 0;
  for (split /\n/, slurp('mountinfo')) { my ($point, $options) = (split / /)[4, 5]; $read_only = $options =~ /^ro\b/ if $point eq '/'; $point =~ s/\\([0-7]{3})/chr oct $1/ge; push @{ $mount{ $point =~ m{([^/]*)\z} ? $1 : '' } }, $point }
  chroot 'root' or gone($id);
  $inside = $id;
  chdir '/';
}
sub leave { return if $inside eq ''; chdir $node or die "back to the node: $!\n"; chroot '.' or die "back to the node: $!\n"; $inside = '' }

# -- places
sub upper { my ($path) = @_; $path =~ s{/[^/]*\z}{}; $path eq '' ? '/' : $path }
sub is_below { my ($path, $root) = @_; $root eq '/' || $path eq $root || index($path, "$root/") == 0 }
sub check { # what exists of a directory lies below the rule's target, whatever symlinks it is reached by
  my ($root, $path, $dir) = @_;
  return if $path eq $root || !-e $root;
  my ($real, $top) = (Cwd::abs_path($dir), Cwd::abs_path($root));
  refuse('outside', "$path: a symlink leads out of $root") unless defined $real && defined $top && is_below($real, $top);
}
sub directory_of { # made where it is missing, each with the owner of the one that it is in
  my ($root, $path) = @_;
  my $dir = upper($path);
  return $dir if $safe{$root}{$dir};
  my ($up, @missing) = ($dir);
  until (-d $up) { refuse('in the way', "$up is no directory in the container") if lstat $up; unshift @missing, $up; $up = upper($up) }
  check($root, $path, $up);
  for (@missing) { my @s = stat upper($_); mkdir $_ or -d $_ or failed($_); chown $s[4], $s[5], $_ }
  $safe{$root}{$dir} = 1;
  return $dir;
}
sub mounted { my ($path) = @_; my ($name) = $path =~ m{([^/]*)\z}; my $at = $mount{$name} or return 0; my $real = Cwd::abs_path(upper($path)); $real = '' if $real eq '/'; scalar grep { $_ eq "$real/$name" } @$at }
sub mounts_below { my ($dir) = @_; my $real = Cwd::abs_path($dir); scalar grep { is_below($_, $real) } map { @$_ } values %mount }
sub only_generated {
  my ($dir) = @_;
  opendir(my $d, $dir) or return 0;
  for (grep { $_ ne '.' && $_ ne '..' } readdir $d) { next if /$generated/; return 0 if -l "$dir/$_" || !-d "$dir/$_" || !only_generated("$dir/$_") }
  return 1;
}
sub remove_tree {
  my ($dir) = @_;
  opendir(my $d, $dir) or failed($dir);
  for (grep { $_ ne '.' && $_ ne '..' } readdir $d) { my $p = "$dir/$_"; if (-d $p && !-l $p) { remove_tree($p) } else { unlink $p or failed($p) } }
  rmdir $dir or failed($dir);
}
sub clear { # makes room for a file or a symlink
  my ($path) = @_;
  return unless -d $path && !-l $path;
  refuse('in the way', "$path is a directory in the container") if mounts_below($path) || !only_generated($path);
  remove_tree($path);
}

# -- files
sub all { my ($fh, $path, $data, $from, $n) = ($_[0], $_[1], \$_[2], $_[3], $_[4]); while ($n > 0) { my $w = syswrite $fh, $$data, $n, $from; defined $w or failed($path); $from += $w; $n -= $w } }
sub begin {
  my ($sequence, $id, $root, $path) = @_;
  my $dir = directory_of($root, $path);
  my $f = { id => $id, path => $path };
  if (mounted($path)) { # only to be written over: first whole on the node, then in one go
    refuse('in the way', "$path is a directory in the container") if -d $path;
    leave();
    my $own = "/var/tmp/.devkit-$$-$sequence";
    sysopen($f->{fh}, $own, O_RDWR | O_CREAT | O_EXCL, 0600) or failed("$own (on the node)");
    unlink $own;
    $f->{in_place} = 1;
  } else {
    clear($path);
    my @s = lstat $path; @s = stat $dir unless @s;
    @$f{qw(uid gid)} = @s[4, 5];
    my $temporary = ($dir eq '/' ? '' : $dir) . "/.devkit-$$-$sequence";
    sysopen($f->{fh}, $temporary, O_WRONLY | O_CREAT | O_EXCL, 0600) or failed($path);
    $f->{temporary} = $temporary;
  }
  return $f;
}
sub commit {
  my ($f, $mode) = @_;
  my ($fh, $path) = @$f{qw(fh path)};
  enter($f->{id}, $path);
  if ($f->{in_place}) {
    sysopen(my $to, $path, O_WRONLY) or failed($path);
    sysseek $fh, 0, 0; my ($b, $size) = ('', 0);
    while (my $n = sysread $fh, $b, 1 << 20) { all($to, $path, $b, 0, $n); $size += $n }
    truncate $to, $size or failed($path);
    return ('in place', '');
  }
  chown $f->{uid}, $f->{gid}, $fh if $f->{uid} || $f->{gid};
  chmod $mode, $fh or failed($path);
  close $fh or failed($path);
  rename $f->{temporary}, $path or failed($path);
  delete $f->{temporary};
  return ('ok', '');
}
sub drop { my ($f) = @_; return unless $f && defined $f->{temporary}; eval { enter($f->{id}, $f->{path}); unlink $f->{temporary}; 1 } }
my %do = (
  W => sub { my ($sequence, $id, $root, $path, $mode) = @_; enter($id, $path); my $f = begin($sequence, $id, $root, $path); my @r = eval { all($f->{fh}, $path, $_[5], 0, length $_[5]); commit($f, $mode) }; if (!@r) { my $why = $@; drop($f); die $why } @r },
  F => sub { my ($sequence, $id, $root, $path) = @_; $file{$sequence} = { refused => ['other', "$path: it was not begun"] }; enter($id, $path); $file{$sequence} = begin($sequence, $id, $root, $path); () },
  M => sub {
    my ($sequence, $id, $root, $path, $mode) = @_; enter($id, $path);
    my $dir = directory_of($root, $path);
    if (-d $path) { check($root, $path, $path); return ('ok', '') }
    refuse('in the way', "$path is no directory in the container") if lstat $path;
    my @s = stat $dir; mkdir $path or failed($path); chown $s[4], $s[5], $path; chmod $mode, $path; ('ok', '')
  },
  L => sub {
    my ($sequence, $id, $root, $path, $mode, $to) = @_; enter($id, $path);
    my $dir = directory_of($root, $path);
    refuse('in the way', "$path is a mount in the container, a symlink cannot take its place") if mounted($path);
    clear($path);
    my $temporary = ($dir eq '/' ? '' : $dir) . "/.devkit-$$-$sequence";
    symlink $to, $temporary or failed($path);
    rename $temporary, $path or do { my $errno = $! + 0; unlink $temporary; failed($path, $errno) };
    ('ok', '')
  },
  D => sub {
    my ($sequence, $id, $root, $path) = @_; enter($id, $path);
    lstat $path or return ('ok', '');
    my $dir = upper($path); unless ($safe{$root}{$dir}) { check($root, $path, $dir); $safe{$root}{$dir} = 1 }
    refuse('in the way', "$path is a mount in the container, it cannot be deleted") if mounted($path);
    if (-l $path || !-d $path) { unlink $path or failed($path); return ('ok', '') }
    return ('kept', $path) if mounts_below($path) || !only_generated($path);
    remove_tree($path); ('ok', '')
  },
  P => sub { my ($sequence, $id, $root, $path, $mode, $data) = @_; enter($id); my ($n, @missing) = (0); for (split /\0/, $data) { push @missing, $n unless lstat $_; $n++ } ('ok', join ',', @missing) },
  T => sub {
    my ($sequence, $id, $root, $path, $mode, $data) = @_; enter($id);
    -p $path && sysopen(my $fifo, $path, O_WRONLY | O_NONBLOCK) or return ('ok', '');
    ('ok', defined syswrite($fifo, "$data\n") ? 'told' : '')
  },
  S => sub { my ($sequence, $id, $root, $path, $mode, $data) = @_; enter($id); my $pid = $task{$id}{pid}; leave(); kill $data, $pid or failed("signal $data"); ('ok', '') },
  K => sub {
    my ($sequence, $id, $root, $path, $mode, $data) = @_; leave();
    $path =~ m{^[\w-][\w.-]*\z} or refuse('other', "$path: not a name");
    mkdir '/run/devkit', 0755; my $final = "/run/devkit/$path";
    if (!$mode) { unlink $final or $! == 2 or failed($final); return ('ok', '') }
    my $temporary = "$final.$$.part"; open(my $f, '>:raw', $temporary) or failed($final); print $f $data; close $f or failed($final);
    rename $temporary, $final or failed($final); ('ok', '')
  },
);

# -- frames
sub say_out { while ($out ne '') { my $w = syswrite STDOUT, $out; defined $w or finish(); substr($out, 0, $w, '') } }
sub answer { my ($sequence, $how, $what) = @_; $out .= pack 'N/a*', pack 'N N/a* N/a*', $sequence, $how, $what }
sub need {
  my ($n) = @_;
  while (length($in) - $at < $n) {
    if ($at) { substr($in, 0, $at, ''); $at = 0 }
    say_out(); leave(); # nothing of a container is held while nothing comes
    my $r = sysread STDIN, $in, 1 << 18, length $in;
    next if !defined $r && $! == 4;
    finish() unless $r;
  }
}
sub finish { drop($_) for values %file; exit 0 }
$SIG{TERM} = $SIG{HUP} = \&finish;
answer(0, 'ok', 'ready');
for (;;) {
  need(4); my $n = unpack 'N', substr $in, $at, 4; need(4 + $n);
  my ($op, $sequence) = unpack 'a N', substr $in, $at + 4, 5;
  my ($from, $size) = ($at + 9, $n - 5);
  my @r = eval {
    if ($op eq 'A') { my $f = $file{$sequence}; all($f->{fh}, $f->{path}, $in, $from, $size) unless $f->{refused}; (1) }
    elsif ($op eq 'X') { drop(delete $file{$sequence}); ('ok', '') }
    elsif ($op eq 'C') { my $f = $file{$sequence}; refuse(@{ $f->{refused} }) if $f->{refused}; my @done = commit($f, unpack 'N', substr $in, $from, $size); delete $file{$sequence}; @done }
    else { my ($id, $root, $path, $mode, $data) = unpack 'N/a* N/a* N/a* N N/a*', substr $in, $from, $size; my @done = $do{$op}->($sequence, $id, $root, $path, $mode, $data); @done ? @done : (1) }
  };
  my $why = $@;
  $at += 4 + $n;
  if (!@r) {
    $why = ['other', $why] unless ref $why; chomp $why->[1];
    if ($op eq 'A' || $op eq 'F') { # told by the commit
      drop($file{$sequence}); $file{$sequence} = { refused => $why }; next;
    }
    drop(delete $file{$sequence}) if $op eq 'C';
    answer($sequence, @$why);
  } elsif ($op ne 'A' && $op ne 'F') { answer($sequence, @r) }
}
`

/**
 * Prints a line for each container that starts, until its input ends. The events come from the runtime itself, when it has made the container's
 * first process and just before it lets it run: long before the API server knows of it.
 */
export const startsScript = String.raw`
use strict; use warnings; $| = 1;
my $pid = open(my $events, '-|', 'ctr', '--namespace=k8s.io', 'events') or die "ctr: $!\n";
my $fd = ''; vec($fd, fileno STDIN, 1) = 1; vec($fd, fileno $events, 1) = 1;
my $rest = '';
sub tell_of {
  my ($event) = @_;
  my ($id, $bundle) = map { $event =~ /"$_":"([^"]+)"/ ? $1 : return } 'container_id', 'bundle';
  open(my $config, '<', "$bundle/config.json") or return;
  my $all = do { local $/; <$config> }; close $config;
  my @of = map { $all =~ /"io\.kubernetes\.cri\.$_":"([^"]+)"/ ? $1 : return } 'sandbox-namespace', 'sandbox-name', 'container-name';
  print "$id @of\n";
}
for (;;) {
  select(my $ready = $fd, undef, undef, undef) > 0 or next;
  if (vec($ready, fileno STDIN, 1)) { sysread(STDIN, my $b, 4096) or do { kill 'KILL', $pid; exit 0 } }
  if (vec($ready, fileno $events, 1)) {
    sysread($events, $rest, 65536, length $rest) or exit 1;
    while ($rest =~ s/^(.*)\n//) { my $line = $1; tell_of($line) if $line =~ m{ /tasks/create } }
  }
}
`
