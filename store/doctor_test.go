package store_test

import (
	"net/url"
	"slices"
	"testing"

	"github.com/mailintake/mailintake/store"
	"github.com/mailintake/mailintake/store/storetest"
)

func TestMissingRights(t *testing.T) {
	t.Parallel()
	db := storetest.New(t)
	if missing, err := db.MissingRights(t.Context()); err != nil || missing != nil {
		t.Errorf("the owner: got %q, %v, want nothing", missing, err)
	}

	// An account that may do all but one thing lacks that thing alone.
	db.Exec(`create role rights_service login`)
	t.Cleanup(func() {
		db.Exec(`reassign owned by rights_service to postgres`)
		db.Exec(`drop owned by rights_service`)
		db.Exec(`drop role rights_service`)
	})
	for _, grant := range []string{
		`grant usage, create on schema public to rights_service`,
		`grant select, insert, update, delete on all tables in schema public to rights_service`,
		`grant usage on all sequences in schema public to rights_service`,
		`alter table message owner to rights_service`, `alter table raw owner to rights_service`, `alter table event owner to rights_service`,
		`revoke update, delete on audit from rights_service`,
		`revoke delete on outbox from rights_service`,
	} {
		db.Exec(grant)
	}
	u, err := url.Parse(db.URL)
	if err != nil {
		t.Fatal(err)
	}
	q := u.Query()
	q.Set("user", "rights_service")
	u.RawQuery = q.Encode()
	st, err := store.Open(t.Context(), store.Config{URL: u.String()})
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	missing, err := st.MissingRights(t.Context())
	if want := []string{"delete on table outbox"}; err != nil || !slices.Equal(missing, want) {
		t.Errorf("got %q, %v, want %q", missing, err, want)
	}
	if n, err := st.MakePartitions(t.Context()); err != nil {
		t.Errorf("day partitions cannot be made with these rights: %d, %v", n, err)
	}

	db.Exec(`drop table river_leader`)
	q = u.Query()
	q.Set("user", "postgres")
	q.Set("default_transaction_read_only", "on")
	u.RawQuery = q.Encode()
	st2, err := store.Open(t.Context(), store.Config{URL: u.String()})
	if err != nil {
		t.Fatal(err)
	}
	defer st2.Close()
	missing, err = st2.MissingRights(t.Context())
	if err != nil || !slices.Contains(missing, "table river_leader") || !slices.Contains(missing, "a primary server: this one is read-only") {
		t.Errorf("got %q, %v, want the dropped table and the read-only server", missing, err)
	}
}
