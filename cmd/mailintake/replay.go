package main

import "context"

type replayCmd struct{}

// Run is filled in next.
func (c *replayCmd) Run(ctx context.Context, con *console) error { return nil }
