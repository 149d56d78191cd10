// Stand-in until freebusy.go and Timezone land: delete this file then.
package object
import "inetdav/store/object/caltime"
func (c *Calendar) Timezone() (*caltime.Zone, error) { return nil, nil }
type FreeBusy struct{}
func NewFreeBusy(r TimeRange, z *caltime.Zone) *FreeBusy { return &FreeBusy{} }
func (f *FreeBusy) Decide(s *Summary) Verdict { return Maybe }
func (f *FreeBusy) Add(c *Calendar) error { return nil }
func (f *FreeBusy) Append(b []byte) []byte { return b }
