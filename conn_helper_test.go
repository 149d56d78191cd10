package main

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// helperVariable makes the test binary be a program that serves the connection
// with one of the handlers below instead of the real one, through the same
// conn*.go.
const helperVariable = "INETDAV_TEST_HANDLER"

// limitsVariable holds the helper's limits as "body=200ms requests=3".
const limitsVariable = "INETDAV_TEST_LIMITS"

func helperMain(name string) int {
	if name == "box" {
		return boxMain()
	}
	if name == "limits" {
		return limitsMain()
	}
	l := limits{header: patience, body: patience, write: patience}
	for _, field := range strings.Fields(os.Getenv(limitsVariable)) {
		key, value, _ := strings.Cut(field, "=")
		d, _ := time.ParseDuration(value)
		switch key {
		case "header":
			l.header = d
		case "body":
			l.body = d
		case "write":
			l.write = d
		case "idle":
			l.idle = d
		case "age":
			l.maxAge = d
		case "requests":
			l.maxRequests, _ = strconv.Atoi(value)
		}
	}
	where := "auto"
	for _, arg := range os.Args[1:] {
		if value, ok := strings.CutPrefix(arg, "--inetdav-log="); ok {
			where = value
		}
	}
	conn, err := inherit(os.Getenv)
	if errors.Is(err, errPeerGone) {
		return exitDone
	}
	logs, logErr := openSink(where, levelDebug, os.Getenv)
	if logErr != nil {
		return exitFailed
	}
	if err != nil {
		logs.Logf(levelError, "%v", err)
		return exitRefused
	}
	serveHTTP(conn, helper(name, logs), l, nil, logs)
	return exitDone
}

// helper gives the handler of this name: "hello", all there is.
func helper(name string, logs *sink) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "hello %s", r.RemoteAddr)
	})
	mux.HandleFunc("/pid", func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, os.Getpid())
	})
	mux.HandleFunc("/echo", func(w http.ResponseWriter, r *http.Request) {
		b, err := io.ReadAll(r.Body)
		if err != nil {
			logs.Logf(levelInfo, "body: %v", err)
			w.WriteHeader(map[bool]int{false: http.StatusBadRequest, true: http.StatusRequestTimeout}[errors.Is(err, os.ErrDeadlineExceeded)])
			return
		}
		w.Write(b)
	})
	mux.HandleFunc("/refuse", func(w http.ResponseWriter, r *http.Request) {
		text := "too large"
		if r.URL.RawQuery == "long" { // more than http.Server keeps before it sends
			text = strings.Repeat(text, 1000)
		}
		http.Error(w, text, http.StatusRequestEntityTooLarge)
	})
	mux.HandleFunc("/panic", func(w http.ResponseWriter, r *http.Request) {
		panic("the handler's secret")
	})
	mux.HandleFunc("/panic-late", func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, strings.Repeat("begun ", 10000))
		panic("the handler's secret")
	})
	mux.HandleFunc("/print", func(w http.ResponseWriter, r *http.Request) {
		fmt.Println("printed")
		fmt.Fprintln(os.Stderr, "printed")
		println("printed")
		os.Stdin.WriteString("printed")
		logs.Logf(levelInfo, "said")
		io.WriteString(w, "quiet")
	})
	mux.HandleFunc("/log", func(w http.ResponseWriter, r *http.Request) {
		logs.Logf(levelWarning, "said %s", r.URL.Query().Get("text"))
	})
	mux.HandleFunc("/descriptors", func(w http.ResponseWriter, r *http.Request) {
		fds := openDescriptors()
		slices.Sort(fds)
		for _, fd := range fds {
			if flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0); err == nil && flags&unix.FD_CLOEXEC == 0 {
				fmt.Fprint(w, fd, " ")
			}
		}
	})
	mux.HandleFunc("/zeros", func(w http.ResponseWriter, r *http.Request) {
		buf := make([]byte, 1<<16)
		n, _ := strconv.Atoi(r.URL.Query().Get("n"))
		for ; n > 0; n -= len(buf) {
			if _, err := w.Write(buf); err != nil {
				logs.Logf(levelInfo, "answer: %v", err)
				return
			}
		}
		logs.Logf(levelInfo, "answer: all gone")
	})
	mux.HandleFunc("/file", func(w http.ResponseWriter, r *http.Request) {
		f, err := os.Open(r.URL.Query().Get("name"))
		if err != nil {
			http.Error(w, err.Error(), http.StatusNotFound)
			return
		}
		defer f.Close()
		http.ServeContent(w, r, "", time.Time{}, f)
	})
	mux.HandleFunc("/context", func(w http.ResponseWriter, r *http.Request) {
		// Says so when the request's context ends before its time.
		io.Copy(io.Discard, r.Body)
		w.(http.Flusher).Flush()
		select {
		case <-r.Context().Done():
			logs.Logf(levelInfo, "context: %v", r.Context().Err())
		case <-time.After(500 * time.Millisecond):
			io.WriteString(w, "undisturbed")
		}
	})
	return mux
}
