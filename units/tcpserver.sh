#!/bin/sh
# tcpserver (ucspi-tcp), started as root: -u and -g name the user whose the storage
# folder is. s6-networking's s6-tcpserver and the tcpsvd of ipsvd and busybox
# (-u radicale) take the same order of arguments. Messages go to its standard error.
umask 027
exec env GOMAXPROCS=1 tcpserver -RHl0 -c 64 -u "$(id -u radicale)" -g "$(id -g radicale)" \
	127.0.0.1 5232 @BINDIR@/inetdav --inetdav-log=stderr
