#!/bin/sh
# tcpserver (ucspi-tcp); s6-networking's s6-tcpserver and ipsvd's tcpsvd take the
# same order of arguments. Messages go to its standard error.
exec env GOMAXPROCS=1 tcpserver -RHl0 -c 40 -u "$(id -u radicale)" -g "$(id -g radicale)" \
	127.0.0.1 5232 @BINDIR@/inetdav --inetdav-log=stderr
