#!/bin/bash
# systemd-in-box.sh - boot a private systemd (as PID 1 of fresh PID, mount, UTS, IPC,
# network and cgroup namespaces) on a throw-away overlay of the running root file
# system; install units; start them; run a command inside; shut down.
# Needs: root (CAP_SYS_ADMIN), util-linux, overlayfs, a systemd package on disk.
# Nothing survives: every write goes to a tmpfs that dies with the mount namespace.
#
#   systemd-in-box.sh [-u UNITFILE[:NAME]]... [-c SRC:DST[:MODE]]... [-b DIR]...
#                     [-r CMD]... [-s UNIT]... [-k] [-v] -- COMMAND [ARG...]
#   -u   copy UNITFILE to /etc/systemd/system (NAME may hold a slash: x.service.d/a.conf);
#        *.sysusers.conf / *.tmpfiles.conf go to /etc/{sysusers,tmpfiles}.d instead
#   -c   copy a file (or a folder) into the box
#   -b   bind a folder of the host read-write (to hand results out)
#   -r   shell command run in the new root before systemd starts (no systemd yet)
#   -s   unit to start before COMMAND
#   -k   on failure of COMMAND, show the journal on stderr
#   -v   systemd's own log to stderr
# Exit status: COMMAND's; 125 when the box could not be booted.
# BOX_CGROUP=v1 uses the v1 controllers (for machines that keep memory/pids there);
# BOX_ROOT=DIR boots another tree (a debootstrap) instead of the running root;
# BOX_TIMEOUT (seconds, 120) bounds COMMAND; BOX_BOOT (20) bounds the boot.
set -euo pipefail
die(){ echo "systemd-in-box: $*" >&2; exit 125; }
[ "$(id -u)" = 0 ] || die "needs root"
SD=; for p in /usr/lib/systemd/systemd /lib/systemd/systemd; do [ -x "${BOX_ROOT:-}$p" ] && SD=$p && break; done
[ -n "$SD" ] || die "no systemd on disk"
units=() copies=() binds=() pre=() starts=() keep=0 verbose=0
while getopts u:c:b:r:s:kv o; do case $o in
  u) units+=("$OPTARG");; c) copies+=("$OPTARG");; b) binds+=("$OPTARG");;
  r) pre+=("$OPTARG");; s) starts+=("$OPTARG");; k) keep=1;; v) verbose=1;; *) exit 125;; esac; done
shift $((OPTIND-1))
[ $# -gt 0 ] || die "no command"
T=$(mktemp -d /tmp/box.XXXXXX)
CG2=$(awk '$3=="cgroup2"{print $2; exit}' /proc/mounts)
CG=; UNSHARE_PID=; INIT=
cleanup(){
  set +e
  if [ -n "$INIT" ] && kill -0 "$INIT" 2>/dev/null; then
    kill -s RTMIN+4 "$INIT"                     # poweroff.target, in order
    for _ in $(seq 100); do kill -0 "$INIT" 2>/dev/null || break; sleep 0.05; done
    kill -9 "$INIT" 2>/dev/null
  fi
  [ -n "$UNSHARE_PID" ] && { kill -9 "$UNSHARE_PID" 2>/dev/null; wait "$UNSHARE_PID" 2>/dev/null; }
  if [ -n "$CG" ]; then
    for _ in $(seq 20); do
      find "$CG" -depth -type d -exec rmdir {} \; 2>/dev/null; [ -d "$CG" ] || break; sleep 0.05; done
  fi
  for d in /sys/fs/cgroup/*/systemd-box.$$; do [ -d "$d" ] && find "$d" -depth -type d -exec rmdir {} \; 2>/dev/null; done
  rm -rf --one-file-system "$T"
}
trap cleanup EXIT; trap 'exit 130' INT; trap 'exit 143' TERM
# a cgroup of its own, so that PID 1 is root of an empty subtree ("no internal processes")
if [ -n "$CG2" ]; then CG=$CG2$(sed -n 's/^0:://p' /proc/self/cgroup); CG=${CG%/}/systemd-box.$$
  mkdir "$CG" 2>/dev/null || { CG=$CG2/systemd-box.$$; mkdir "$CG" || CG=; }; fi
printf '%s\n' "${pre[@]:-}" >"$T/pre"
cat >"$T/init" <<'INIT'
set -eu
T=$1 CG=$2 SD=$3 VERBOSE=$4
mount --make-rprivate /
mkdir $T/s; mount -t tmpfs -o mode=755 tmpfs $T/s; mkdir $T/s/{u,w,m}; R=$T/s/m
mount -t overlay overlay -o lowerdir=${BOX_ROOT:-/},upperdir=$T/s/u,workdir=$T/s/w $R
mount -t proc proc $R/proc
mount -t sysfs -o ro sysfs $R/sys
if [ "${BOX_CGROUP:-v2}" = v1 ]; then
  mount -t tmpfs -o mode=755 tmpfs $R/sys/fs/cgroup
  for h in $(sed -n 's/^[1-9][0-9]*:\([^:]*\):.*/\1/p' /proc/self/cgroup); do
    n=${h#name=}; mkdir $R/sys/fs/cgroup/$n; mount -t cgroup -o $h cgroup $R/sys/fs/cgroup/$n; done
  mkdir $R/sys/fs/cgroup/unified; mount -t cgroup2 cgroup2 $R/sys/fs/cgroup/unified
else mount -t cgroup2 cgroup2 $R/sys/fs/cgroup; fi
mount -t tmpfs -o mode=755 tmpfs $R/dev; mkdir $R/dev/{pts,shm,mqueue}
for d in null zero full random urandom tty; do : >$R/dev/$d; mount --bind /dev/$d $R/dev/$d; done
mount -t devpts -o newinstance,ptmxmode=666,mode=620 devpts $R/dev/pts
mount -t tmpfs -o mode=1777 tmpfs $R/dev/shm
ln -s pts/ptmx $R/dev/ptmx; ln -s /proc/self/fd $R/dev/fd
for i in 0:stdin 1:stdout 2:stderr; do ln -s fd/${i%:*} $R/dev/${i#*:}; done
mount -t tmpfs -o mode=755 tmpfs $R/run
while IFS= read -r b; do [ -n "$b" ] && { mkdir -p $R$b; mount --bind "$b" "$R$b"; }; done <$T/binds
# as little as possible: only what the socket and the service themselves pull in
for u in systemd-udevd.service systemd-udev-trigger.service systemd-udevd-control.socket \
  systemd-udevd-kernel.socket systemd-timesyncd.service systemd-hwdb-update.service \
  systemd-binfmt.service proc-sys-fs-binfmt_misc.automount sys-kernel-debug.mount \
  sys-kernel-tracing.mount sys-kernel-config.mount sys-fs-fuse-connections.mount dev-hugepages.mount \
  systemd-modules-load.service kmod-static-nodes.service systemd-sysctl.service systemd-random-seed.service \
  systemd-journal-flush.service systemd-update-utmp.service systemd-machine-id-commit.service \
  systemd-remount-fs.service dev-mqueue.mount systemd-pcrphase.service systemd-pcrphase-sysinit.service \
  networking.service ifupdown-pre.service keyboard-setup.service console-setup.service; do
  ln -sf /dev/null $R/etc/systemd/system/$u; done
rm -f $R/etc/systemd/system/*.wants/* $R/etc/fstab; : >$R/etc/fstab
mkdir -p $R/etc/systemd/system/box.target.d
printf '[Unit]\nDescription=box\nRequires=sysinit.target dbus.socket\nAfter=sysinit.target dbus.socket\nAllowIsolate=yes\n' >$R/etc/systemd/system/box.target
: >$R/etc/machine-id
# --remove would empty /tmp of the overlay, one whiteout at a time
mkdir -p $R/etc/systemd/system/systemd-tmpfiles-setup.service.d
printf '[Service]\nExecStart=\nExecStart=systemd-tmpfiles --create --boot --prefix=/run --prefix=/var/run\n' >$R/etc/systemd/system/systemd-tmpfiles-setup.service.d/box.conf
mkdir -p $R/etc/systemd/journald.conf.d; printf '[Journal]\nStorage=volatile\nRateLimitBurst=0\n' >$R/etc/systemd/journald.conf.d/box.conf
cd $T/in; find . -mindepth 1 -maxdepth 1 -exec cp -a {} $R/ \;
cd $R; mkdir -p .old; pivot_root . .old; cd /; umount -l /.old; rmdir /.old 2>/dev/null || :
sh -eu /.pre >&2; rm -f /.pre
if [ $VERBOSE = 1 ]; then exec env -i container=box PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin SYSTEMD_LOG_TARGET=console $SD --system --unit=box.target --show-status=yes --log-level=info
else exec env -i container=box PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin $SD --system --unit=box.target --show-status=no --log-target=journal >/dev/null 2>&1; fi
INIT
# what goes in
mkdir -p "$T/in/etc/systemd/system"; cp "$T/pre" "$T/in/.pre"
for u in "${units[@]:+${units[@]}}"; do [ -n "$u" ] || continue; f=${u%%:*}; n=$(basename "$f"); [ "$u" != "$f" ] && n=${u#*:}
  case $n in *.sysusers.conf|sysusers.conf) d=etc/sysusers.d/box-$n;; *.tmpfiles.conf|tmpfiles.conf) d=etc/tmpfiles.d/box-$n;; *) d=etc/systemd/system/$n;; esac
  install -D -m 644 "$f" "$T/in/$d" || die "no $f"; done
for c in "${copies[@]:+${copies[@]}}"; do [ -n "$c" ] || continue; IFS=: read -r s d m <<<"$c"; mkdir -p "$T/in$(dirname "$d")"; cp -a "$s" "$T/in$d"; [ -n "${m:-}" ] && chmod "$m" "$T/in$d" || :; done
printf '%s\n' "${binds[@]:-}" >"$T/binds"
( [ -n "$CG" ] && echo 0 >"$CG/cgroup.procs"
  if [ "${BOX_CGROUP:-v2}" = v1 ]; then for h in /sys/fs/cgroup/*/; do
      [ -e "$h/tasks" ] && [ ! -L "${h%/}" ] || continue; d=$h/systemd-box.$$; mkdir -p "$d"
      [ -e "$d/cpuset.mems" ] && { cat "$h/cpuset.cpus" >"$d/cpuset.cpus"; cat "$h/cpuset.mems" >"$d/cpuset.mems"; }
      echo $BASHPID >"$d/tasks"; done; fi
  exec unshare --fork --pid --mount --uts --ipc --net --cgroup --kill-child \
    bash "$T/init" "$T" "$CG" "$SD" "$verbose" ) &
UNSHARE_PID=$!
for _ in $(seq $((${BOX_BOOT:-20}*50))); do
  kill -0 $UNSHARE_PID 2>/dev/null || die "the box died while booting"
  INIT=$(cat /proc/$UNSHARE_PID/task/$UNSHARE_PID/children 2>/dev/null | tr -d ' ') || :
  [ -n "$INIT" ] && [ -S /proc/$INIT/root/run/systemd/private ] && break; INIT=; sleep 0.02; done
[ -n "$INIT" ] || die "systemd did not come up"
in_box(){ nsenter -t "$INIT" -m -u -i -n -p -C -r -w env -i container=box HOME=/root TERM=dumb LANG=C.UTF-8 SYSTEMD_PAGER= SYSTEMD_COLORS=0 \
  PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin "$@"; }
for _ in $(seq $((${BOX_BOOT:-20}*20))); do in_box systemctl -q is-active box.target 2>/dev/null && ok=1 && break; sleep 0.05; done
[ "${ok:-0}" = 1 ] || { in_box systemctl --no-pager list-jobs >&2 || :; die "box.target not reached"; }
compgen -G "$T/in/etc/sysusers.d/*" >/dev/null && in_box systemd-sysusers
compgen -G "$T/in/etc/tmpfiles.d/*" >/dev/null && in_box systemd-tmpfiles --create
for s in "${starts[@]:+${starts[@]}}"; do [ -n "$s" ] && { in_box systemctl start "$s" || { in_box journalctl -b --no-pager -n 40 >&2; die "cannot start $s"; }; }; done
rc=0; timeout --foreground "${BOX_TIMEOUT:-120}" nsenter -t "$INIT" -m -u -i -n -p -C -r -w env -i container=box HOME=/root TERM=dumb LANG=C.UTF-8 \
  SYSTEMD_PAGER= SYSTEMD_COLORS=0 PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin "$@" </dev/null || rc=$?
[ $rc != 0 ] && [ $keep = 1 ] && in_box journalctl -b --no-pager -n 200 >&2 || :
exit $rc
