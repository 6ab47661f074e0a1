package main

import "context"

type doctorCmd struct{}

// Run is filled in next.
func (c *doctorCmd) Run(ctx context.Context, con *console) error { return nil }
