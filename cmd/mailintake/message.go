package main

import "context"

type messageCmd struct{}

// Run is filled in next.
func (c *messageCmd) Run(ctx context.Context, con *console) error { return nil }
