package store

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// sizes are the numbers of objects that the benchmarks run with.
var sizes = []int{100, 10_000, 100_000}

func filled(b *testing.B, n int) *fixture {
	fx := newFixture(b)
	for i := range n {
		name := fmt.Sprintf("object-%06d.ics", i)
		fx.must(os.WriteFile(filepath.Join(fx.dir, name), event(strings.TrimSuffix(name, ".ics"), i), 0o666))
	}
	c, err := fx.Collection(calPath)
	fx.must(err)
	c.Close()
	return fx
}

func benchmark(b *testing.B, f func(b *testing.B, fx *fixture, n int)) {
	for _, n := range sizes {
		if testing.Short() && n > 10_000 {
			continue
		}
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			fx := filled(b, n)
			b.ReportAllocs()
			b.ResetTimer()
			f(b, fx, n)
		})
	}
}

func BenchmarkPoll(b *testing.B) {
	benchmark(b, func(b *testing.B, fx *fixture, _ int) {
		for b.Loop() {
			c, err := fx.Collection(calPath)
			fx.must(err)
			if c.CTag() == "" || c.SyncToken() == "" {
				b.Fatal("no token")
			}
			c.Close()
		}
	})
}

// BenchmarkIdlePoll is a poll after hours in which nobody asked for a list.
func BenchmarkIdlePoll(b *testing.B) {
	benchmark(b, func(b *testing.B, fx *fixture, _ int) {
		fx.StatAge = StatAuto
		for b.Loop() {
			fx.idle(maxStatAge / 2)
			c, err := fx.Collection(calPath)
			fx.must(err)
			c.Close()
		}
	})
}

func BenchmarkPass(b *testing.B) {
	benchmark(b, func(b *testing.B, fx *fixture, n int) {
		for b.Loop() {
			c, err := fx.Collection(calPath)
			fx.must(err)
			count := 0
			for range c.Objects() {
				count++
			}
			if count != n || c.Err() != nil {
				b.Fatal(count, c.Err())
			}
			c.Close()
		}
	})
}

func BenchmarkStatPass(b *testing.B) {
	benchmark(b, func(b *testing.B, fx *fixture, n int) {
		fx.StatAge = StatAlways
		time.Sleep(racyFile) // or all of them are read
		b.ResetTimer()
		for b.Loop() {
			c, err := fx.Collection(calPath)
			fx.must(err)
			c.Close()
		}
	})
}

func BenchmarkLookup(b *testing.B) {
	benchmark(b, func(b *testing.B, fx *fixture, n int) {
		i := 0
		for b.Loop() {
			c, err := fx.Collection(calPath)
			fx.must(err)
			if _, ok := c.Lookup(fmt.Sprintf("object-%06d.ics", i*7919%n)); !ok {
				b.Fatal(c.Err())
			}
			c.Close()
			i++
		}
	})
}

func BenchmarkSyncOneChange(b *testing.B) {
	benchmark(b, func(b *testing.B, fx *fixture, n int) {
		c, err := fx.Collection(calPath)
		fx.must(err)
		token := c.SyncToken()
		c.Close()
		fx.put("object-000050.ics", -1)
		b.ResetTimer()
		for b.Loop() {
			c, err := fx.Collection(calPath)
			fx.must(err)
			if got := changes(b, c, token); len(got) != 1 {
				b.Fatal(got)
			}
			c.Close()
		}
	})
}

func BenchmarkPut(b *testing.B) {
	benchmark(b, func(b *testing.B, fx *fixture, n int) {
		i := 0
		for b.Loop() {
			fx.put(fmt.Sprintf("object-%06d.ics", i*7919%n), i+n)
			i++
		}
	})
}

func BenchmarkFindUID(b *testing.B) {
	benchmark(b, func(b *testing.B, fx *fixture, n int) {
		for b.Loop() {
			c, err := fx.Collection(calPath)
			fx.must(err)
			if _, ok := c.FindUID("object-000050"); !ok {
				b.Fatal(c.Err())
			}
			c.Close()
		}
	})
}

func BenchmarkBuild(b *testing.B) {
	benchmark(b, func(b *testing.B, fx *fixture, n int) {
		for b.Loop() {
			fx.must(os.RemoveAll(filepath.Join(fx.dir, radicaleCache)))
			c, err := fx.Collection(calPath)
			fx.must(err)
			c.Close()
		}
	})
}
