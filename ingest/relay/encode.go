package relay

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/nats-io/nats.go"
)

// StreamName is the stream that carries the events of all channels.
const StreamName = "EMAIL"

// SubjectPrefix begins every subject of the stream.
const SubjectPrefix = "email.v1."

// replayedToken stands before the replay's id and the type in the subject of a replayed event.
const replayedToken = "replayed"

// Headers of every event.
const (
	headerMsgID       = "Nats-Msg-Id"
	headerSequence    = "Mailintake-Sequence"
	headerReplay      = "Mailintake-Replay"
	headerTraceParent = "traceparent"
	headerContentType = "Content-Type"
)

// contentType is the media type of CloudEvents structured JSON (CloudEvents JSON format 1.0.2 §3).
const contentType = "application/cloudevents+json"

// Subject is where the row's event is published.
func (row *Row) Subject() string { return row.laneSubject() + row.Type }

// wildcard matches the subjects of the row's lane and no other.
func (row *Row) wildcard() string { return row.laneSubject() + "*" }

// laneSubject is what the subjects of the row's lane begin with.
func (row *Row) laneSubject() string {
	s := SubjectPrefix + row.Tenant + "." + row.Channel + "."
	if row.ReplayID != "" {
		s += replayedToken + "." + row.ReplayID + "."
	}
	return s
}

// msgID is the row's Nats-Msg-Id: a replay repeats the event id, so that the replay's id is added.
func (row *Row) msgID() string {
	if row.ReplayID != "" {
		return row.EventID + "/" + row.ReplayID
	}
	return row.EventID
}

// attributes are the context attributes of a CloudEvent (CloudEvents 1.0.2 §3.1) that an event has, with the sequence
// extension (sequencetype Integer: decimal, from 1, rising by 1), distributed tracing, and our own replay.
type attributes struct {
	SpecVersion     string `json:"specversion"`
	ID              string `json:"id"`
	Source          string `json:"source"`
	Type            string `json:"type"`
	Subject         string `json:"subject,omitempty"`
	Time            string `json:"time"`
	DataContentType string `json:"datacontenttype"`
	Sequence        string `json:"sequence"`
	SequenceType    string `json:"sequencetype"`
	Replay          string `json:"replay,omitempty"`
	TraceParent     string `json:"traceparent,omitempty"`
}

// Encode makes the message that carries the row: CloudEvents 1.0 structured JSON with the headers of section 6 of the
// contracts. The attribute subject is the data's field "message", the resource name of the message, where it has one.
// It fails when the row cannot be an event: bad ids, or data that is not a JSON object.
func Encode(row Row) (*nats.Msg, error) {
	if err := row.check(); err != nil {
		return nil, err
	}
	data := bytes.TrimSpace(row.Data)
	if len(data) == 0 || data[0] != '{' {
		return nil, errors.New("the event's data is not a JSON object")
	}
	var about struct {
		Message string `json:"message"`
	}
	if err := json.Unmarshal(data, &about); err != nil {
		return nil, fmt.Errorf("the event's data: %w", err)
	}
	head, err := json.Marshal(attributes{
		SpecVersion:     "1.0",
		ID:              row.EventID,
		Source:          "//mailintake/tenants/" + row.Tenant + "/emailChannels/" + row.Channel,
		Type:            "mailintake.email." + row.Type + ".v1",
		Subject:         about.Message,
		Time:            row.Time.UTC().Format(time.RFC3339Nano),
		DataContentType: "application/json",
		Sequence:        strconv.FormatInt(row.Sequence, 10),
		SequenceType:    "Integer",
		Replay:          row.ReplayID,
		TraceParent:     row.TraceParent,
	})
	if err != nil {
		return nil, err
	}
	body := make([]byte, 0, len(head)+len(data)+len(`,"data":}`))
	body = append(body, head[:len(head)-1]...)
	body = append(body, `,"data":`...)
	body = append(body, data...)
	body = append(body, '}')

	header := nats.Header{
		headerMsgID:       {row.msgID()},
		headerSequence:    {strconv.FormatInt(row.Sequence, 10)},
		headerContentType: {contentType},
	}
	if row.TraceParent != "" {
		header[headerTraceParent] = []string{row.TraceParent}
	}
	if row.ReplayID != "" {
		header[headerReplay] = []string{row.ReplayID}
	}
	return &nats.Msg{Subject: row.Subject(), Header: header, Data: body}, nil
}
