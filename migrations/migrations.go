// Package migrations embeds the schema's history. The files are applied in the order of their numbers by store.Migrate
// and never edited once released: a change is a new file.
package migrations

import "embed"

// FS holds the SQL files.
//
//go:embed *.sql
var FS embed.FS
