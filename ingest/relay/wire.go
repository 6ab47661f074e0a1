package relay

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/nats-io/nats.go"
)

// Headers of an atomic batch (JetStream ADR-50) and of the expectation on its first message per lane.
const (
	headerBatchID         = "Nats-Batch-Id"
	headerBatchSequence   = "Nats-Batch-Sequence"
	headerBatchCommit     = "Nats-Batch-Commit"
	headerExpected        = "Nats-Expected-Last-Subject-Sequence"
	headerExpectedSubject = "Nats-Expected-Last-Subject-Sequence-Subject"
)

// JetStream error codes that the relay tells apart.
const (
	codeWrongLast         = 10071 // the expectation does not hold
	codeWrongLastConstant = 10164 // the same while another batch of the lane is in process
	codeDuplicateBusy     = 10158 // a message with this id is in process
	codeDuplicate         = 10201 // a message with this id was stored within the duplicate window
	codeMessageTooLarge   = 10054 // a message beyond max_payload or the stream's max_msg_size
	codeBatchTooLarge     = 10199 // more messages than the server allows in a batch
	codeStoreFailed       = 10077 // full stream with discard new, or a disk that refuses
	codeAccountLimits     = 10002
	codeStreamNotFound    = 10059
	codeSealed            = 10109
	codeBatchDisabled     = 10174
	codeTooManyInflight   = 10210
)

// refusal is a JetStream error: the server's clear word that nothing was stored.
type refusal struct {
	Code        int    `json:"code"`
	ErrCode     uint16 `json:"err_code"`
	Description string `json:"description"`
}

func (r *refusal) Error() string {
	return fmt.Sprintf("JetStream refused: %s (%d)", r.Description, r.ErrCode)
}

// stale reports whether the refusal says that stream and relay disagree about what is stored.
func (r *refusal) stale() bool {
	switch r.ErrCode {
	case codeWrongLast, codeWrongLastConstant, codeDuplicate, codeDuplicateBusy:
		return true
	}
	return false
}

// general reports whether the refusal is about the stream or the server, whatever was published. An incomplete batch is
// not: the server drops a message that it does not like without a word, and complains about the hole at the commit.
func (r *refusal) general() bool {
	switch r.ErrCode {
	case codeStoreFailed, codeAccountLimits, codeStreamNotFound, codeSealed, codeBatchDisabled, codeTooManyInflight:
		return true
	}
	return r.Code >= 500
}

// Reasons why a batch has no answer. Whether it is stored is not known.
var (
	errNoAnswer = errors.New("no answer from the stream in time")
	errNoStream = errors.New("no stream takes the subject")
)

// wire publishes atomic batches, one at a time.
type wire struct {
	nc      *nats.Conn
	inbox   string // replies to batch n come to inbox.n
	id      string // batch n is called id-n
	n       uint64
	replies chan *nats.Msg
	sub     *nats.Subscription
	lost    chan nats.Status
	timeout time.Duration
}

func newWire(nc *nats.Conn, timeout time.Duration) (*wire, error) {
	inbox := nc.NewInbox()
	w := &wire{
		nc:      nc,
		inbox:   inbox,
		id:      inbox[len(inbox)-min(len(inbox), 22):],
		replies: make(chan *nats.Msg, 64),
		timeout: timeout,
	}
	var err error
	if w.sub, err = nc.ChanSubscribe(inbox+".*", w.replies); err != nil {
		return nil, fmt.Errorf("subscribe to replies: %w", err)
	}
	w.lost = nc.StatusChanged(nats.DISCONNECTED, nats.RECONNECTING, nats.CLOSED)
	return w, nil
}

func (w *wire) close() {
	w.nc.RemoveStatusListener(w.lost)
	_ = w.sub.Unsubscribe() // fails only when the connection is closed, which ends the subscription as well
}

// publish sends the messages as one atomic batch and returns the stream sequence of the last one; the others come
// right before it. A *refusal means that nothing is stored. After any other error the outcome is unknown: the server
// may still store the whole batch, also later.
func (w *wire) publish(ctx context.Context, msgs []*nats.Msg) (last uint64, err error) {
	for drained := false; !drained; { // events of the time before this batch
		select {
		case <-w.lost:
		case <-w.replies:
		default:
			drained = true
		}
	}
	if !w.nc.IsConnected() {
		return 0, disconnected(w.nc)
	}
	w.n++
	number := strconv.FormatUint(w.n, 10)
	id := w.id + "-" + number
	reply := w.inbox + "." + number
	for i, m := range msgs {
		m.Header[headerBatchID] = []string{id}
		m.Header[headerBatchSequence] = []string{strconv.Itoa(i + 1)}
		delete(m.Header, headerBatchCommit)
		m.Reply = ""
		if i == len(msgs)-1 {
			m.Header[headerBatchCommit] = []string{"1"}
			m.Reply = reply
		}
		switch err := w.nc.PublishMsg(m); {
		case errors.Is(err, nats.ErrMaxPayload): // the server forgets the unfinished batch
			return 0, &refusal{Code: 400, ErrCode: codeMessageTooLarge, Description: err.Error()}
		case err != nil:
			return 0, fmt.Errorf("publish: %w", err)
		}
	}
	timer := time.NewTimer(w.timeout)
	defer timer.Stop()
	for {
		select {
		case m := <-w.replies:
			if m.Subject == reply {
				return parseAck(m, id, len(msgs))
			}
		case <-w.lost:
			return 0, disconnected(w.nc)
		case <-timer.C:
			return 0, errNoAnswer
		case <-ctx.Done():
			return 0, ctx.Err()
		}
	}
}

// parseAck reads the answer to a batch of n messages.
func parseAck(m *nats.Msg, id string, n int) (last uint64, err error) {
	if len(m.Data) == 0 && m.Header.Get("Status") == "503" {
		return 0, errNoStream
	}
	var answer struct {
		Error  *refusal `json:"error"`
		Stream string   `json:"stream"`
		Seq    uint64   `json:"seq"`
		Batch  string   `json:"batch"`
		Count  int      `json:"count"`
	}
	switch err := json.Unmarshal(m.Data, &answer); {
	case err != nil:
		return 0, fmt.Errorf("unreadable answer from JetStream: %w", err)
	case answer.Error != nil:
		return 0, answer.Error
	case answer.Stream != StreamName || answer.Batch != id || answer.Count != n || answer.Seq < uint64(n):
		// An answer that speaks of something else proves nothing, for example of a server that ignores batches.
		return 0, fmt.Errorf("JetStream acknowledged %d messages of batch %q in stream %q where %d of %q in %q were published",
			answer.Count, answer.Batch, answer.Stream, n, id, StreamName)
	}
	return answer.Seq, nil
}
