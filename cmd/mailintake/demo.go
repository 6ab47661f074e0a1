package main

import "context"

type demoCmd struct{ settings }

// Run is written next.
func (c *demoCmd) Run(ctx context.Context, con *console) error { return nil }
