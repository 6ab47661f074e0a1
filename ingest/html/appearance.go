package html

import (
	"strconv"
	"strings"
)

// appearance is what a style says that matters to plain text. The zero value says nothing.
type appearance struct {
	none       bool // not shown, with all it holds
	display    display
	size       size // of the font
	visibility size // zero: hidden
	space      space
	before     size // margin above
	after      size // margin below
	border     size

	clipped, flat bool // overflow is hidden, and there is no height: nothing is seen
}

type display int

const (
	displayUnset display = iota
	displayInline
	displayBlock
)

type size int

const (
	sizeUnset size = iota
	sizeZero
	sizeSome
)

type space int

const (
	spaceUnset space = iota
	spaceNormal
	spaceKept
)

// over joins two appearances; what b says counts more.
func (a appearance) over(b appearance) appearance {
	a.none = a.none && b.display == displayUnset || b.none
	a.clipped, a.flat = a.clipped || b.clipped, a.flat || b.flat
	a.display = last(a.display, b.display)
	a.size, a.visibility = last(a.size, b.size), last(a.visibility, b.visibility)
	a.space = last(a.space, b.space)
	a.before, a.after, a.border = last(a.before, b.before), last(a.after, b.after), last(a.border, b.border)
	return a
}

func last[T ~int](a, b T) T {
	if b != 0 {
		return b
	}
	return a
}

// isHidden tells whether nobody sees what the element holds.
func (a appearance) isHidden() bool { return a.none || a.clipped && a.flat }

// appearanceOf reads the declarations of one style.
func appearanceOf(list []declaration) appearance {
	var a appearance
	var away, positioned bool
	for _, d := range list {
		value := lower(d.value)
		switch d.property {
		case "display":
			a.none = value == "none"
			switch {
			case value == "none":
			case value == "inline":
				a.display = displayInline
			case value == "block", value == "list-item", value == "table", value == "flex", value == "grid", value == "table-row":
				a.display = displayBlock
			default:
				a.display = displayUnset
			}
		case "visibility":
			a.visibility = sizeSome
			if value == "hidden" || value == "collapse" {
				a.visibility = sizeZero
			}
		case "opacity":
			if sizeOf(value) == sizeZero {
				a.none = true
			}
		case "font-size":
			// Relative to the font around it, nothing stays nothing.
			if s := sizeOf(value); s == sizeZero || !strings.HasSuffix(value, "%") && !strings.HasSuffix(value, "em") {
				a.size = s
			}
		case "white-space":
			a.space = spaceNormal
			if strings.HasPrefix(value, "pre") || value == "break-spaces" {
				a.space = spaceKept
			}
		case "margin":
			f := strings.Fields(value)
			a.before, a.after = sizeOf(f[0]), sizeOf(f[0])
			if len(f) > 2 {
				a.after = sizeOf(f[2])
			}
		case "margin-top":
			a.before = sizeOf(value)
		case "margin-bottom":
			a.after = sizeOf(value)
		case "border":
			a.border = sizeSome
			if strings.HasPrefix(value, "none") || sizeOf(strings.Fields(value)[0]) == sizeZero {
				a.border = sizeZero
			}
		case "overflow":
			a.clipped = value == "hidden"
		case "max-height", "height", "width", "max-width":
			a.flat = a.flat || sizeOf(value) == sizeZero
		case "position":
			positioned = value == "absolute" || value == "fixed"
		case "left", "top", "right", "text-indent":
			away = away || strings.HasPrefix(value, "-") && len(strings.TrimRight(value, "pxemt%")) >= len("-999")
		}
	}
	a.none = a.none || away && positioned
	return a
}

// sizeOf reads a length. What is below half a unit counts as nothing: Word writes .0001pt.
func sizeOf(value string) size {
	i := 0
	for i < len(value) && (isDigit(value[i]) || value[i] == '.' || i == 0 && (value[i] == '-' || value[i] == '+')) {
		i++
	}
	if i == 0 {
		return sizeSome
	}
	f, err := strconv.ParseFloat(value[:i], 64)
	if err == nil && f < 0.5 && f > -0.5 && !(f != 0 && strings.HasSuffix(value, "em")) {
		return sizeZero
	}
	return sizeSome
}
