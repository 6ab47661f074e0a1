package html

import "strconv"

// itemNumber is the mark of an item in an ordered list: 1, 2, 3 or a, b, c.
func itemNumber(n int, letters bool) string {
	if letters && n >= 1 && n <= 26 {
		return string(rune('a' + n - 1))
	}
	return strconv.Itoa(n)
}
