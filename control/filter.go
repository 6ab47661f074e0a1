package control

import (
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/mailintake/mailintake/ingest"
)

// term is one condition of a filter: a field with operator and value, or a bare word.
type term struct{ field, op, value string }

// parseFilter reads a small part of AIP-160: terms joined by AND and OR, where OR binds more tightly, so that the result
// is a conjunction of alternatives. Values stand in double quotes, with \" and \\ inside.
func parseFilter(s string) ([][]term, error) {
	tokens, err := filterTokens(s)
	if err != nil || len(tokens) == 0 {
		return nil, err
	}
	var all [][]term
	join := "AND"
	for i := 0; i < len(tokens); {
		var t term
		if t.field = tokens[i]; !isWord(t.field) {
			return nil, badFilter("a field name or word is expected where %s stands", t.field)
		}
		i++
		if i < len(tokens) && isOperator(tokens[i]) {
			if i+1 == len(tokens) || tokens[i+1][0] != '"' {
				return nil, badFilter("%s %s needs a value in double quotes", t.field, tokens[i])
			}
			t.op, t.value = tokens[i], tokens[i+1][1:]
			i += 2
		}
		if join == "OR" {
			all[len(all)-1] = append(all[len(all)-1], t)
		} else {
			all = append(all, []term{t})
		}
		if i == len(tokens) {
			return all, nil
		}
		if join = tokens[i]; join != "AND" && join != "OR" {
			return nil, badFilter("AND or OR is expected before %s", strings.TrimPrefix(join, `"`))
		}
		i++
	}
	return nil, badFilter("a condition is expected after %s", join)
}

// filterTokens cuts a filter into words, operators and values; a value begins with a double quote and is unescaped.
func filterTokens(s string) ([]string, error) {
	var tokens []string
	for i := 0; i < len(s); {
		c := s[i]
		switch {
		case c == ' ':
			i++
		case c == '"':
			var v strings.Builder
			v.WriteByte('"')
			for i++; ; i++ {
				if i >= len(s) {
					return nil, badFilter("a double quote is not closed")
				}
				if s[i] == '"' {
					i++
					break
				}
				if s[i] == '\\' && i+1 < len(s) {
					i++
				}
				v.WriteByte(s[i])
			}
			if strings.ContainsFunc(v.String(), unicode.IsControl) {
				return nil, badFilter("values must not contain control characters")
			}
			tokens = append(tokens, v.String())
		case strings.IndexByte("=!<>", c) >= 0:
			n := 1
			if i+1 < len(s) && s[i+1] == '=' {
				n = 2
			}
			if op := s[i : i+n]; isOperator(op) {
				tokens = append(tokens, op)
				i += n
				continue
			}
			return nil, badFilter("%s is not an operator", s[i:i+n])
		case isWord(s[i : i+1]):
			n := 1
			for i+n < len(s) && isWord(s[i:i+n+1]) {
				n++
			}
			tokens = append(tokens, s[i:i+n])
			i += n
		default:
			return nil, badFilter("unexpected character at position %d", i+1)
		}
	}
	return tokens, nil
}

func isOperator(s string) bool {
	return s == "=" || s == "!=" || s == "<" || s == "<=" || s == ">" || s == ">="
}

func isWord(s string) bool {
	for i := range len(s) {
		c := s[i]
		if c != '_' && (i == 0 || c != '.') && (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') {
			return false
		}
	}
	return s != "" && s[0] != '"'
}

func badFilter(format string, args ...any) *Error {
	return Invalid(Violation{"filter", fmt.Sprintf(format, args...)})
}

// choose returns the values for which every group of alternatives has a term that holds.
func choose[S any](filter [][]term, values []S, holds func(term, S) bool) []S {
	chosen := []S{}
	for _, v := range values {
		if !slices.ContainsFunc(filter, func(alternatives []term) bool {
			return !slices.ContainsFunc(alternatives, func(t term) bool { return holds(t, v) })
		}) {
			chosen = append(chosen, v)
		}
	}
	return chosen
}

// checkStateTerm says what is wrong with a term that should compare the state with one of names.
func checkStateTerm[S fmt.Stringer](t term, states []S) error {
	if t.field != "state" || t.op != "=" && t.op != "!=" {
		return badFilter("%s is not a condition of this list", strings.TrimSpace(t.field+" "+t.op))
	}
	if !slices.ContainsFunc(states, func(s S) bool { return s.String() == t.value }) {
		return badFilter("there is no state %q", t.value)
	}
	return nil
}

func channelStates() []ingest.State {
	return []ingest.State{ingest.StateDisabled, ingest.StatePending, ingest.StateActive, ingest.StateBackingOff, ingest.StateAuthFailed,
		ingest.StateConfigError, ingest.StateThrottled, ingest.StateStalled}
}

// needsAttention is what the filter term "failed" means.
func needsAttention(s ingest.State) bool {
	return s != ingest.StateDisabled && s != ingest.StatePending && s != ingest.StateActive
}

// channelFilter gives the states that a filter lets through; nil if it lets all through, empty if none.
func channelFilter(filter string) ([]ingest.State, error) {
	groups, err := parseFilter(filter)
	if err != nil || groups == nil {
		return nil, err
	}
	failed := term{field: "failed"}
	for _, t := range slices.Concat(groups...) {
		if t == failed {
			continue
		}
		if err := checkStateTerm(t, channelStates()); err != nil {
			return nil, err
		}
	}
	return choose(groups, channelStates(), func(t term, s ingest.State) bool {
		if t == failed {
			return needsAttention(s)
		}
		return (s.String() == t.value) == (t.op == "=")
	}), nil
}

// replayFilter gives the channel name ("" for all) and the states (nil for all, empty for none) that a filter lets through.
func replayFilter(filter string) (channel string, states []ingest.ReplayState, err error) {
	groups, err := parseFilter(filter)
	if err != nil || groups == nil {
		return "", nil, err
	}
	known := []ingest.ReplayState{ingest.ReplayQueued, ingest.ReplayRunning, ingest.ReplaySucceeded, ingest.ReplayFailed, ingest.ReplayCancelled}
	rest := groups[:0]
	for _, g := range groups {
		if g[0].field == "email_channel" {
			if len(g) > 1 || g[0].op != "=" || channel != "" || g[0].value == "" {
				return "", nil, badFilter(`email_channel = "…" may stand once, joined to other conditions by AND`)
			}
			channel = g[0].value
			continue
		}
		for _, t := range g {
			if err := checkStateTerm(t, known); err != nil {
				return "", nil, err
			}
		}
		rest = append(rest, g)
	}
	if len(rest) == 0 {
		return channel, nil, nil
	}
	return channel, choose(rest, known, func(t term, s ingest.ReplayState) bool {
		return (s.String() == t.value) == (t.op == "=")
	}), nil
}

func classes() []ingest.Class {
	return []ingest.Class{ingest.ClassHuman, ingest.ClassAutoReply, ingest.ClassBounce, ingest.ClassComplaint, ingest.ClassReadReceipt, ingest.ClassList,
		ingest.ClassCalendar, ingest.ClassSystem}
}

func joined[S ~string](list []S) string {
	texts := make([]string, len(list))
	for i, s := range list {
		texts[i] = string(s)
	}
	return strings.Join(texts, ", ")
}

// messageFilter puts the conditions of a filter into q.
func messageFilter(filter string, q *MessageQuery) error {
	groups, err := parseFilter(filter)
	if err != nil {
		return err
	}
	for _, g := range groups {
		if len(g) > 1 {
			return badFilter("OR is not possible in this list")
		}
		t := g[0]
		switch t.field + t.op {
		case "message_id_header=":
			if q.MessageID != "" || t.value == "" {
				return badFilter("message_id_header must be given once and not be empty")
			}
			q.MessageID = strings.TrimSuffix(strings.TrimPrefix(t.value, "<"), ">")
		case "thread.id=":
			if q.Thread != "" || !canonicalUUID(t.value) {
				return badFilter("thread.id must be given once and be the id of a thread")
			}
			q.Thread = t.value
		case "message_class=":
			class := ingest.Class(t.value)
			if q.Class != "" || !slices.Contains(classes(), class) {
				return badFilter("message_class must be given once and be one of %s", joined(classes()))
			}
			q.Class = class
		case "receive_time>=", "receive_time<":
			at, err := time.Parse(time.RFC3339, t.value)
			if err != nil || checkTime(at) != "" {
				return badFilter("%q is not a time such as 2026-01-31T00:00:00Z", t.value)
			}
			bound := &q.Since
			if t.op == "<" {
				bound = &q.Until
			}
			if !bound.IsZero() {
				return badFilter("receive_time %s stands twice", t.op)
			}
			*bound = at
		default:
			return badFilter("%s is not a condition of this list", strings.TrimSpace(t.field+" "+t.op))
		}
	}
	return nil
}
