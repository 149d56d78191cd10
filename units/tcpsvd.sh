#!/bin/sh
# tcpsvd, of the package ipsvd or of a busybox that has it, started as root: -u names
# the user whose the storage folder is. Its own -c, 30, makes more connections wait,
# with ipsvd's for up to three seconds. Messages go to its standard error.
umask 027
busybox=
command -v tcpsvd >/dev/null || busybox=busybox
exec env GOMAXPROCS=1 $busybox tcpsvd -c 64 -u radicale 127.0.0.1 5232 @BINDIR@/inetdav --inetdav-log=stderr
