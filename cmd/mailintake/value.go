package main

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"
)

// moment is a flag for a time: RFC 3339, a day, or an age such as 10m or 2d, counted back from now.
type moment struct{ time.Time }

// UnmarshalText reads it.
func (m *moment) UnmarshalText(text []byte) error {
	s := string(text)
	if t, err := time.Parse(time.RFC3339, s); err == nil {
		m.Time = t
		return nil
	}
	if t, err := time.ParseInLocation(time.DateOnly, s, time.Local); err == nil {
		m.Time = t
		return nil
	}
	d, err := time.ParseDuration(s)
	if days, ok := strings.CutSuffix(s, "d"); ok && err != nil {
		var n uint64
		n, err = strconv.ParseUint(days, 10, 16)
		d = time.Duration(n) * 24 * time.Hour
	}
	if err != nil || d < 0 {
		return fmt.Errorf("%q is neither a time such as 2026-01-31T08:00:00Z, nor a day, nor an age such as 10m, 3h or 2d", s)
	}
	m.Time = time.Now().Add(-d)
	return nil
}

// proto is the time for a request; nil if the flag was not given.
func (m *moment) proto() *timestamppb.Timestamp {
	if m == nil {
		return nil
	}
	return timestamppb.New(m.Time)
}

// byteSize is a flag for octets: a number, or one with KiB, MiB or GiB.
type byteSize int64

// UnmarshalText reads it.
func (b *byteSize) UnmarshalText(text []byte) error {
	s, shift := string(text), 0
	for i, unit := range []string{"KiB", "MiB", "GiB"} {
		if rest, ok := strings.CutSuffix(s, unit); ok {
			s, shift = strings.TrimSpace(rest), 10*(i+1)
			break
		}
	}
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil || n < 0 || n > math.MaxInt64>>shift {
		return fmt.Errorf("%q is not a size such as 65536, 512KiB or 40MiB", text)
	}
	*b = byteSize(n << shift)
	return nil
}

// span is a flag for a range of numbers, ends included: 5-90, 5, 5- or -90. An open end is 0.
type span struct{ first, last int64 }

// UnmarshalText reads it.
func (s *span) UnmarshalText(text []byte) error {
	first, last, isRange := strings.Cut(string(text), "-")
	if !isRange {
		last = first
	}
	for _, end := range []struct {
		text string
		to   *int64
	}{{first, &s.first}, {last, &s.last}} {
		if end.text == "" && isRange {
			continue
		}
		n, err := strconv.ParseInt(end.text, 10, 64)
		if err != nil || n < 1 {
			return fmt.Errorf("%q is not a range such as 5-90, 5- or -90", text)
		}
		*end.to = n
	}
	if s.last != 0 && s.first > s.last || s.first == 0 && s.last == 0 {
		return fmt.Errorf("%q is not a range such as 5-90, 5- or -90", text)
	}
	return nil
}
