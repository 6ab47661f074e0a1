package main

import "context"

type channelCmd struct{}

// Run is filled in next.
func (c *channelCmd) Run(ctx context.Context, con *console) error { return nil }
