package main

import (
	"context"

	"github.com/mailintake/mailintake/ingest/relay"
)

type eventsCmd struct{}

// Run is filled in next.
func (c *eventsCmd) Run(ctx context.Context, con *console) error { return nil }

// formatEvent is one event as one line for people, without a newline.
func formatEvent(e relay.Event) string { return e.Subject }
