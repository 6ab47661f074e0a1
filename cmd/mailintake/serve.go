package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"runtime/debug"
	"strings"

	"github.com/mailintake/mailintake/store"
	"github.com/mailintake/mailintake/store/seal"
)

// serveCmd runs the service.
type serveCmd struct {
	settings
	Embedded bool     `help:"Bring Postgres and NATS along, for one machine: data in --data-dir, API on loopback without credentials."`
	Roles    []string `default:"poll,relay,control" enum:"poll,relay,control" help:"What this process does: poll, relay, control (${default})."`
}

// Run serves until a signal comes.
func (c *serveCmd) Run(ctx context.Context, con *console) error {
	c.embedded = c.Embedded
	if err := c.validate(); err != nil {
		return &usageError{err.Error()}
	}
	var r roles
	for _, name := range c.Roles {
		switch name {
		case "poll":
			r.poll = true
		case "relay":
			r.relay = true
		case "control":
			r.control = true
		}
	}
	log := c.logger(con)
	s, err := start(ctx, c.settings, r, log)
	if err != nil {
		return err
	}
	defer s.close()
	log.Info("serving", "version", version(), "grpc", c.GRPCAddr, "http", c.HTTPAddr, "admin", c.AdminAddr, "roles", strings.Join(c.Roles, ","))
	if c.embedded {
		log.Info("embedded servers", "database", s.cfg.DatabaseURL, "nats", s.ns.URL())
	}
	err = s.run(ctx)
	log.Info("stopped")
	return err
}

// migrateCmd brings the schema up to date.
type migrateCmd struct {
	DatabaseURL string `env:"MAILINTAKE_DATABASE_URL" required:"" help:"Postgres 15 or later." placeholder:"URL"`
}

// Run migrates and says what it did.
func (c *migrateCmd) Run(ctx context.Context, con *console) error {
	st, err := store.Open(ctx, store.Config{URL: c.DatabaseURL})
	if err != nil {
		return &usageError{err.Error()}
	}
	defer st.Close()
	done, err := st.Migrate(ctx)
	for _, d := range done {
		fmt.Fprintln(con.out, "applied", d)
	}
	if err != nil {
		return err
	}
	if len(done) == 0 {
		fmt.Fprintln(con.out, "nothing to do: the schema is up to date")
	}
	return nil
}

// keysCmd looks after the keyset.
type keysCmd struct {
	Create keysCreateCmd `cmd:"" help:"Make a new keyset; never replaces one."`
	Rotate keysRotateCmd `cmd:"" help:"Add a new primary key; passwords sealed with the old ones stay readable."`
}

type keysCreateCmd struct {
	IfMissing  bool   `help:"Leave an existing keyset alone and succeed."`
	KeysetFile string `env:"MAILINTAKE_KEYSET_FILE" required:"" type:"path" help:"The file to make." placeholder:"FILE"`
}

// Run makes the file.
func (c *keysCreateCmd) Run(con *console) error {
	s, err := seal.Create(c.KeysetFile)
	if c.IfMissing && errors.Is(err, fs.ErrExist) {
		s, err := seal.Open(c.KeysetFile)
		if err != nil {
			return err
		}
		fmt.Fprintf(con.out, "%s is there already, with key %d\n", c.KeysetFile, s.KeyID())
		return nil
	}
	if err != nil {
		return err
	}
	fmt.Fprintf(con.out, "made %s with key %d; keep a copy apart from the database: without it stored passwords are lost\n", c.KeysetFile, s.KeyID())
	return nil
}

type keysRotateCmd struct {
	KeysetFile string `env:"MAILINTAKE_KEYSET_FILE" required:"" type:"path" help:"The keyset file." placeholder:"FILE"`
}

// Run adds a key.
func (c *keysRotateCmd) Run(con *console) error {
	s, err := seal.Rotate(c.KeysetFile)
	if err != nil {
		return err
	}
	fmt.Fprintf(con.out, "key %d is primary now; running services that read this file take it up by themselves, others when they restart\n", s.KeyID())
	return nil
}

// versionCmd prints the version.
type versionCmd struct{}

// Run prints it.
func (versionCmd) Run(con *console) error {
	fmt.Fprintln(con.out, "mailintake", version())
	return nil
}

// version is the module's version, or the revision that it was built from.
func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" && len(s.Value) >= 12 && info.Main.Version == "(devel)" {
			return "devel-" + s.Value[:12]
		}
	}
	return info.Main.Version
}
