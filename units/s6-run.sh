#!/bin/sh
# The run script of a service below s6 or runit, on a unix socket for a reverse
# proxy on this machine, started as root. Messages go to standard error, hence to
# its logger. Anybody may connect to the socket, so its folder lets only the
# proxy's group (here www-data) in; /run is empty after a boot, so it is made here.
install -d -o radicale -g www-data -m 750 /run/radicale || exit 1
umask 027
exec env GOMAXPROCS=1 s6-setuidgid radicale \
	s6-ipcserver -c 40 /run/radicale/socket @BINDIR@/inetdav --inetdav-log=stderr
