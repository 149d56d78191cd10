#!/bin/sh
# The run script of a service below s6 or runit, on a unix socket for a reverse
# proxy on this machine. Messages go to standard error, hence to its logger.
exec env GOMAXPROCS=1 s6-setuidgid radicale \
	s6-ipcserver -c 40 /run/radicale/socket @BINDIR@/inetdav --inetdav-log=stderr
