/**
 * What runs in a node for as long as a session is open: reads frames, changes files in containers, acknowledges each change.
 *
 * Perl, because every Debian-made node image has it and because it can change its root, work, and come back without another process:
 * inside the container's root an absolute symlink leads where it leads in the container, never to the node. Nothing of the container
 * is needed (no shell, no tar, no writable user).
 *
 * A frame is a 32-bit big-endian length, then fields, each a 32-bit length and bytes:
 *   to the node:   op, sequence, container id, path, mode, data     op: F first part of a file, A another part, C commit, L link, M directory, D delete
 *   from the node: sequence, '' or what went wrong
 * The process is the one that containerd names; it is held by its directory in /proc, so that a reused pid is never written to.
 */
export const nodeScript = String.raw`
use strict; use warnings; no warnings 'once';
binmode STDIN; binmode STDOUT; $| = 1;
opendir(my $node, '/') or die "open /: $!\n";
my (%task, $out, $temporary);
my $failed = 'nothing was begun';

sub take { my ($n) = @_; my $b = ''; while (length $b < $n) { my $r = sysread(STDIN, $b, $n - length $b, length $b); exit 0 unless $r; } $b }
sub started { my ($stat) = @_; open(my $f, '<', $stat) or return ''; my $line = <$f>; close $f; $line =~ s/.*\) //s; (split / /, $line)[19] }
sub find_task {
  my ($id) = @_;
  open(my $ctr, '-|', 'ctr', '--namespace=k8s.io', 'tasks', 'ls') or die "ctr: $!\n";
  while (<$ctr>) { my ($name, $pid) = split; $task{$name} = { pid => $pid, start => started("/proc/$pid/stat") } if defined $pid && $pid =~ /^\d+$/ && !(exists $task{$name} && $task{$name}{pid} == $pid); }
  close $ctr;
  $task{$id} or die "the container has ended\n";
}
sub enter {
  my ($id) = @_;
  my $t = $task{$id} || find_task($id);
  chdir "/proc/$t->{pid}" or do { delete $task{$id}; die "the container has ended\n" };
  my $now = started('stat');
  if ($now eq '' || $now ne $t->{start}) { delete $task{$id}; die "the container has ended\n" }
  chroot 'root' or die "root of the container: $!\n";
  chdir '/' or die "root of the container: $!\n";
}
sub leave { chdir $node or die "back to the node: $!\n"; chroot '.' or die "back to the node: $!\n" }
sub parent { my ($p) = @_; $p =~ s{/[^/]*$}{}; $p eq '' ? '/' : $p }
sub make_parents {
  my ($dir) = @_;
  return if -d $dir;
  my $up = parent($dir); make_parents($up);
  unless (mkdir $dir) { my $why = $!; die "$dir: $why\n" unless -d $dir }
  my @s = stat $up; chown $s[4], $s[5], $dir;
}
sub temporary { my ($path) = @_; my $dir = parent($path); make_parents($dir); my ($name) = $path =~ m{([^/]*)$}; ($dir eq '/' ? '' : $dir) . '/.devkit-' . substr($name, 0, 100) . ".$$" }
sub owner { my ($path) = @_; my @s = lstat $path; @s = stat parent($path) unless @s; ($s[4], $s[5]) }
sub put {
  my ($path, $mode) = @_;
  my ($uid, $gid) = owner($path);
  chown $uid, $gid, $temporary; chmod $mode, $temporary;
  return if rename $temporary, $path;
  my $why = $!;
  if (-d $path && !-l $path) { die "$path is a directory in the container\n" }
  if ($why =~ /busy/i) { # a single file that is mounted can only be written over
    open(my $from, '<:raw', $temporary) or die "$path: $!\n"; open(my $to, '>:raw', $path) or die "$path: $!\n";
    my $b; print $to $b while sysread($from, $b, 65536); close $to or die "$path: $!\n"; unlink $temporary; return;
  }
  unlink $temporary; die "$path: $why\n";
}
my %do = (
  F => sub { my ($path, $mode, $data) = @_; $temporary = temporary($path); unlink $temporary; open($out, '>:raw', $temporary) or die "$path: $!\n"; print $out $data or die "$path: $!\n" },
  A => sub { my ($path, $mode, $data) = @_; $out or die "$failed\n"; print $out $data or die "$path: $!\n" },
  C => sub { my ($path, $mode) = @_; $out or die "$failed\n"; my $good = close $out; undef $out; $good or die "$path: $!\n"; put($path, $mode) },
  L => sub { my ($path, $mode, $to) = @_; $temporary = temporary($path); unlink $temporary; symlink $to, $temporary or die "$path: $!\n"; rename $temporary, $path or die "$path: $!\n" },
  M => sub { my ($path) = @_; make_parents($path) },
  D => sub { my ($path) = @_; return if unlink $path; my $why = $!; die "$path: $why\n" if -l $path || -e $path },
);
syswrite STDOUT, pack('N/a*', pack('N/a* N/a*', 'ready', ''));
for (;;) {
  my $frame = take(unpack 'N', take(4));
  my ($op, $sequence, $id, $path, $mode, $data) = unpack 'N/a* N/a* N/a* N/a* N/a* N/a*', $frame;
  my $inside = 0;
  my $good = eval { enter($id); $inside = 1; $do{$op}->($path, $mode || 0, $data); 1 };
  my $why = $good ? '' : ($@ || 'unknown'); chomp $why;
  unless ($good) { undef $out; $failed = $why; unlink $temporary if $inside && defined $temporary; }
  leave();
  next if $op eq 'F' || $op eq 'A'; # what went wrong is told by the commit
  syswrite STDOUT, pack('N/a*', pack('N/a* N/a*', $sequence, $why));
}
`
