package control

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"strconv"
)

// DefaultPageSize and MaxPageSize bound what one list call returns.
const (
	DefaultPageSize = 50
	MaxPageSize     = 1000
)

// Pages makes and reads page tokens. A token says behind which item the next page begins and is good for one list only:
// a call with another parent, filter or order refuses it. It gives no right: what a call may see depends on the call.
type Pages struct {
	// Key must be the same in all replicas and outlive restarts, or tokens end with the process that made them. It may
	// be empty: tokens are then still bound to their list, but can be forged by whoever reads this.
	Key []byte
}

const macSize = 16

// token names the item after which the next page begins.
func (p Pages) token(after string, list ...string) string {
	return base64.RawURLEncoding.EncodeToString(append(p.mac(after, list), after...))
}

// after is the inverse of token; an empty token is the first page.
func (p Pages) after(token string, list ...string) (string, error) {
	if token == "" {
		return "", nil
	}
	b, err := base64.RawURLEncoding.Strict().DecodeString(token)
	if err == nil && len(b) > macSize {
		if after := string(b[macSize:]); hmac.Equal(b[:macSize], p.mac(after, list)) {
			return after, nil
		}
	}
	return "", &Error{Kind: KindInvalid, Reason: "INVALID_PAGE_TOKEN", Message: "page_token: is not one that this list returned",
		Violations: []Violation{{"page_token", "must be the next_page_token of a call with the same parent, filter and order"}}}
}

func (p Pages) mac(after string, list []string) []byte {
	h := hmac.New(sha256.New, p.Key)
	for _, s := range append([]string{after}, list...) {
		_ = binary.Write(h, binary.BigEndian, uint64(len(s))) // a hash never fails
		h.Write([]byte(s))
	}
	return h.Sum(nil)[:macSize]
}

// pageSize is the number of items to return; at most limit.
func pageSize(asked, limit int) (int, error) {
	switch {
	case asked < 0:
		return 0, Invalid(Violation{"page_size", "must not be negative"})
	case asked == 0:
		return min(DefaultPageSize, limit), nil
	}
	return min(asked, limit), nil
}

// orderBy reads an order by the one field that a list can be ordered by.
func orderBy(s, field string, descendingByDefault bool) (descending bool, err error) {
	switch s {
	case "":
		return descendingByDefault, nil
	case field, field + " asc":
		return false, nil
	case field + " desc":
		return true, nil
	}
	return false, Invalid(Violation{"order_by", "must be " + strconv.Quote(field) + " or " + strconv.Quote(field+" desc")})
}
