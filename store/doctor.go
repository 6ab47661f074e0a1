package store

import (
	"context"

	"github.com/jackc/pgx/v5"
)

// missingRights names what the service does with each of its tables and may not. The audit is only ever added to, and
// new day partitions can be attached by who owns the table.
const missingRights = `
with need (name, rights) as (
    values ('channel', '{select,insert,update}'::text[]), ('replica', '{select,insert,update,delete}'),
        ('channel_state', '{select,insert,update}'), ('channel_status', '{select,insert,update}'),
        ('relay_bucket', '{select,update}'), ('ledger', '{select,insert,update}'), ('message', '{select,insert,owner}'),
        ('raw', '{select,insert,owner}'), ('event', '{select,insert,owner}'), ('outbox', '{select,insert,delete}'),
        ('replay', '{select,insert,update}'), ('audit', '{select,insert}'), ('river_job', '{select,insert,update,delete}'),
        ('river_leader', '{select,insert,update,delete}'), ('river_queue', '{select,insert,update,delete}'),
        ('goose_db_version', '{select}')
), found as (
    select name, rights, to_regclass(name) as id from need
)
select 'a primary server: this one is read-only' where pg_is_in_recovery() or current_setting('transaction_read_only')::boolean
union all
select 'a schema: search_path names none that exists' where current_schema() is null
union all
select 'create in schema ' || current_schema() where not has_schema_privilege(current_schema(), 'create')
union all
select 'table ' || name from found where id is null
union all
select 'ownership of table ' || name from found join pg_class on oid = id
where 'owner' = any (rights) and not pg_has_role(relowner, 'usage')
union all
select r || ' on table ' || name from found, unnest(rights) as r
where id is not null and r <> 'owner' and not has_table_privilege(id, r)
union all
select 'usage of sequence ' || s from (values ('river_job_id_seq')) as q (s)
where to_regclass(s) is not null and not has_sequence_privilege(s, 'usage')`

// MissingRights lists what the service needs in the database and does not have, in words; nil if it has all.
// Before the schema is complete, see Pending, it lists the tables that are to come as well.
func (s *Store) MissingRights(ctx context.Context) ([]string, error) {
	rows, err := s.pool.Query(ctx, missingRights)
	if err != nil {
		return nil, wrap("missing rights", err)
	}
	missing, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil || len(missing) == 0 {
		return nil, wrap("missing rights", err)
	}
	return missing, nil
}
