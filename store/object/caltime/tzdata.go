//go:build !notzdata

package caltime

// The IANA database, for machines that have none; 450 kB, nothing at start. The
// build tag notzdata leaves it out.
import _ "time/tzdata"
