# Looks into containers from their node, through /proc/PID/root: what devkit says does not count here.
# One request a line on stdin, one answer a line on stdout, both JSON. It looks again every half millisecond, and only while something is asked.
use strict;
use warnings;
use JSON::PP;
use Digest::MD5;
use Fcntl ':mode';
use Time::HiRes qw(time sleep);
use IO::Select;
$| = 1;

my $json = JSON::PP->new->utf8;
my $input = IO::Select->new(\*STDIN);
while (defined(my $line = sysline())) {
  my $ask = $json->decode($line);
  my %answer = (
    wait => \&until_all, containers => \&containers, fresh => \&fresh, torn => \&torn, programs => \&programs, program => \&program,
  );
  # from here on it looks: what is measured may begin
  print $json->encode({ id => $ask->{id}, ready => JSON::PP::true }), "\n";
  my $given = eval { $answer{ $ask->{do} }->($ask) } || { failed => "$@" };
  print $json->encode({ id => $ask->{id}, %$given }), "\n";
}

# Lines without buffering: torn() has to see that another one came.
my $rest;
sub sysline {
  $rest //= '';
  my $end;
  while (($end = index $rest, "\n") < 0) { sysread(STDIN, $rest, 1 << 20, length $rest) or return }
  return substr $rest, 0, $end + 1, '';
}

# Until every check holds in every container.
sub until_all {
  my ($ask) = @_;
  my $deadline = time + $ask->{ms} / 1000;
  my @left = map { my $pid = $_; map { { %$_, at => "/proc/$pid/root$_->{path}" } } @{ $ask->{checks} } } @{ $ask->{pids} };
  while (@left) {
    if (holds($left[0])) { shift @left; next }
    return { late => $left[0]{at}, left => scalar @left } if time > $deadline;
    sleep 0.0005;
  }
  return { ok => JSON::PP::true };
}

sub holds {
  my ($check) = @_;
  my ($kind, $at) = ($check->{kind}, $check->{at});
  my @stat = lstat $at;
  return !@stat if $kind eq 'gone';
  return 0 unless @stat;
  return S_ISLNK($stat[2]) && readlink($at) eq $check->{to} if $kind eq 'link';
  return 0 unless S_ISREG($stat[2]);
  return sprintf('%o', $stat[2] & 0777) eq $check->{mode} if $kind eq 'mode';
  return 0 unless $stat[7] == $check->{bytes};
  return 1 if $kind eq 'size';
  open my $file, '<:raw', $at or return 0;
  return Digest::MD5->new->addfile($file)->hexdigest eq $check->{md5};
}

# Processes that are the first of a container with this path: { id, pid, pod }.
sub containers {
  my ($ask) = @_;
  my %first;
  for my $pid (sort { $a <=> $b } map { m{^/proc/(\d+)$} ? $1 : () } glob '/proc/[0-9]*') {
    my $of = container_of($pid, $ask->{marker}) or next;
    $first{ $of->{id} } //= { %$of, pid => 0 + $pid };
  }
  return { containers => [ values %first ] };
}

sub container_of {
  my ($pid, $marker) = @_;
  return unless lstat "/proc/$pid/root$marker";
  open my $file, '<', "/proc/$pid/cgroup" or return;
  local $/;
  my $groups = <$file> // '';
  my ($id) = $groups =~ /([0-9a-f]{64})/ or return;
  my ($pod) = $groups =~ /pod([0-9a-f]{8}[-_0-9a-f]{28})/;
  ($pod //= '') =~ tr/_/-/;
  return { id => $id, pod => $pod };
}

# The first container that is not known, from the moment that its program starts, until it holds the checks. Before that moment its first process is
# the runtime's own, which prepares the container and waits.
sub fresh {
  my ($ask) = @_;
  my $deadline = time + $ask->{ms} / 1000;
  my %known = map { $_ => 1 } @{ $ask->{known} };
  my %old = map { m{^/proc/(\d+)$} ? ($1 => 1) : () } glob '/proc/[0-9]*';
  while (time < $deadline) {
    for my $pid (map { m{^/proc/(\d+)$} ? $1 : () } glob '/proc/[0-9]*') {
      next if $old{$pid};
      my $of = container_of($pid, $ask->{marker}) or next;
      if ($known{ $of->{id} }) { $old{$pid} = 1; next }
      sleep 0.0005 while time < $deadline && comm($pid) =~ /^runc/;
      my $began = time;
      my $held = until_all({ pids => [$pid], checks => $ask->{checks}, ms => 1000 * ($deadline - time) });
      return { %$held, container => $of->{id}, pod => $of->{pod}, pid => 0 + $pid, took => 1000 * (time - $began) };
    }
    sleep 0.002;
  }
  return { late => 'no new container' };
}

sub comm {
  my ($pid) = @_;
  open my $file, '<', "/proc/$pid/comm" or return '';
  return <$file> // '';
}

# Reads the file again and again, until another line comes: how often it was not whole. Whole: as long as it should be, and equal at both ends.
sub torn {
  my ($ask) = @_;
  my ($at, $reads, $torn, $missing) = ("/proc/$ask->{pids}[0]/root$ask->{path}", 0, 0, 0);
  until ($input->can_read(0)) {
    for (1 .. 50) {
      $reads++;
      if (open my $file, '<:raw', $at) {
        local $/;
        my $text = <$file> // '';
        $torn++ unless length $text == $ask->{bytes} && substr($text, 0, 16) eq substr($text, -16);
      } else { $missing++ }
    }
  }
  return { reads => $reads, torn => $torn, missing => $missing };
}

# Programs in the container of a process whose command line has the words: "PID START".
sub programs {
  my ($ask) = @_;
  my $space = readlink "/proc/$ask->{pids}[0]/ns/pid";
  return { programs => [ map { program_at($_, $space, $ask->{words}) // () } map { m{^/proc/(\d+)$} ? $1 : () } glob '/proc/[0-9]*' ] };
}

sub program_at {
  my ($pid, $space, $words) = @_;
  return unless (readlink("/proc/$pid/ns/pid") // '') eq $space;
  open my $file, '<', "/proc/$pid/cmdline" or return;
  my $command = <$file> // '';
  return unless index($command, $words) >= 0;
  open my $stat, '<', "/proc/$pid/stat" or return;
  my @fields = split ' ', (<$stat> // '') =~ s/.*\)//r;
  return "$pid $fields[19]";
}

# Until a program runs that is not known.
sub program {
  my ($ask) = @_;
  my $deadline = time + $ask->{ms} / 1000;
  my %known = map { $_ => 1 } @{ $ask->{known} };
  while (time < $deadline) {
    my @new = grep { !$known{$_} } @{ programs($ask)->{programs} };
    return { ok => JSON::PP::true, program => $new[0] } if @new;
    sleep 0.001;
  }
  return { late => 'no new program' };
}
