package relay

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
)

// isForeign reports whether a read failed because of a message that is not ours.
func isForeign(err error) bool { return errors.Is(err, errForeign) }

// reader asks the stream's leader for single messages. A direct get could be answered by a replica that lags.
type reader struct {
	nc      *nats.Conn
	timeout time.Duration
}

const codeNoMessage = 10037

// errForeign is a message on a lane's subjects that is not one of our events.
var errForeign = errors.New("not an event of mailintake")

// last returns the end of the lane that the wildcard covers; the zero tail if it is empty.
func (r *reader) last(ctx context.Context, wildcard string) (tail, error) {
	return r.get(ctx, map[string]any{"last_by_subj": wildcard})
}

// next returns the first event of the lane at or after a position; the zero tail if there is none.
func (r *reader) next(ctx context.Context, wildcard string, position uint64) (tail, error) {
	return r.get(ctx, map[string]any{"next_by_subj": wildcard, "seq": max(position, 1)})
}

func (r *reader) get(ctx context.Context, request map[string]any) (tail, error) {
	m, err := r.raw(ctx, request)
	if err != nil || m == nil {
		return tail{seen: time.Now()}, err
	}
	end := tail{position: m.Seq, seen: time.Now()}
	header, err := nats.DecodeHeadersMsg(m.Header)
	if err == nil {
		end.sequence, err = strconv.ParseInt(header.Get(headerSequence), 10, 64)
	}
	if err != nil || end.sequence < 1 {
		return tail{}, fmt.Errorf("message %d of stream %s on %s is %w; remove it (nats stream rmm %[2]s %[1]d)",
			m.Seq, StreamName, m.Subject, errForeign)
	}
	end.eventID = strings.TrimSuffix(header.Get(headerMsgID), "/"+header.Get(headerReplay))
	return end, nil
}

// stored is a message as the stream's leader hands it out.
type stored struct {
	Subject string    `json:"subject"`
	Seq     uint64    `json:"seq"`
	Header  []byte    `json:"hdrs"`
	Time    time.Time `json:"time"`
}

// raw asks for one message; nil if there is none.
func (r *reader) raw(ctx context.Context, request map[string]any) (*stored, error) {
	body, err := json.Marshal(request)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, r.timeout)
	defer cancel()
	m, err := r.nc.RequestWithContext(ctx, "$JS.API.STREAM.MSG.GET."+StreamName, body)
	if err != nil {
		return nil, fmt.Errorf("read the stream: %w", err)
	}
	var answer struct {
		Error   *refusal `json:"error"`
		Message *stored  `json:"message"`
	}
	switch err := json.Unmarshal(m.Data, &answer); {
	case err != nil:
		return nil, fmt.Errorf("read the stream: unreadable answer: %w", err)
	case answer.Error != nil && answer.Error.ErrCode == codeNoMessage:
		return nil, nil
	case answer.Error != nil:
		return nil, fmt.Errorf("read the stream: %w", answer.Error)
	case answer.Message == nil:
		return nil, errors.New("read the stream: an answer without a message")
	}
	return answer.Message, nil
}

// find returns the first event of the lane whose sequence is at least the given one, searching between two
// positions; end must be the lane's end. It needs about log2(end-from) reads because sequences rise with positions.
func (r *reader) find(ctx context.Context, wildcard string, sequence int64, from uint64, end tail) (tail, error) {
	found := end
	lo, hi := from, end.position // the answer lies in [lo, hi]
	for lo < hi {
		mid := lo + (hi-lo)/2
		at, err := r.next(ctx, wildcard, mid)
		if err != nil {
			return tail{}, err
		}
		switch {
		case at.position == 0 || at.position > hi: // removed meanwhile, or published after end was read
			hi = mid
		case at.sequence < sequence:
			lo = at.position + 1
		default:
			found, hi = at, mid
		}
	}
	return found, nil
}
