package question

import (
	"bytes"
	"reflect"
	"strings"
	"testing"
)

func TestQuestion(t *testing.T) {
	want := Question{"müller", "pass word", "192.0.2.1"}
	var b bytes.Buffer
	if err := want.Write(&b); err != nil {
		t.Fatal(err)
	}
	b.WriteString("rest")
	if got, err := ReadQuestion(&b); got != want || err != nil {
		t.Errorf("got %v, %v", got, err)
	}
	if b.String() != "rest" {
		t.Errorf("left %q", b.String())
	}
	if err := (Question{"a\x00b", "", ""}).Write(&b); err == nil {
		t.Error("NUL in a user")
	}
	for _, text := range []string{"", "inetdav-auth 1\x00u\x00p\x00", "inetdav-auth 2\x00u\x00p\x00\x00", strings.Repeat("x", MaxQuestion+1)} {
		if got, err := ReadQuestion(strings.NewReader(text)); err == nil || got != (Question{}) {
			t.Errorf("%.40q: %v", text, got)
		}
	}
}

func TestAnswer(t *testing.T) {
	for _, want := range []Answer{
		{Verdict: Yes, User: "u", Groups: []string{}},
		{Verdict: Yes, User: "u", Groups: []string{"staff", "two words"}},
		{Verdict: No},
		{Verdict: Later, Reason: "no answer"},
	} {
		var b bytes.Buffer
		if err := want.Write(&b); err != nil {
			t.Fatal(err)
		}
		whole := b.String()
		if got, err := ReadAnswer(&b); !reflect.DeepEqual(got, want) || err != nil {
			t.Errorf("got %+v, %v; want %+v", got, err, want)
		}
		// An answer that is cut lets nobody in.
		for n := range len(whole) {
			if got, err := ReadAnswer(strings.NewReader(whole[:n])); err == nil && got.Verdict == Yes && !reflect.DeepEqual(got.Groups, want.Groups[:len(got.Groups)]) {
				t.Errorf("%q: %+v", whole[:n], got)
			}
		}
	}
	for _, text := range []string{"", "yes\x00", "yes\x00\x00", "yes", "yes\x00u", "maybe\x00u\x00", "no\x00a\x00b\x00", strings.Repeat("x", MaxAnswer) + "\x00"} {
		if got, err := ReadAnswer(strings.NewReader(text)); err == nil {
			t.Errorf("%.40q: %+v", text, got)
		}
	}
}
