-- Channels, who owns them, what was read, what was stored and what is still to be announced.
-- Locks: creates tables only, so none that anybody waits for.

-- +goose Up

-- A channel as the administrator configured it. The row changes only when somebody changes it.
create table channel (
    channel_id        bigint generated always as identity primary key,
    uid               uuid not null default gen_random_uuid(),
    tenant            text not null,
    channel           text collate "C" not null,
    display_name      text not null,
    email_address     text not null,
    enabled           boolean not null,
    description       text not null,
    labels            jsonb not null,
    script            text not null,
    protocol          smallint not null,
    host              text not null,
    port              integer not null,              -- 0 means the protocol's default
    starttls          boolean not null,
    tls_server_name   text not null,
    tls_ca_pem        text not null,
    username          text not null,
    password          bytea,                         -- sealed; null means none was set
    folder            text not null,                 -- IMAP; empty means INBOX
    poll_interval     interval not null,
    initial_sync      smallint not null,
    initial_sync_time timestamptz,
    settlement        smallint not null,
    max_message_bytes bigint not null,
    revision          bigint not null default 1,     -- rises with every change of the configuration; the etag
    wake              bigint not null default 0,     -- rises when the owner shall look at the channel now
    changed_at        timestamptz not null default now(), -- of the last rise of revision or wake
    create_time       timestamptz not null default now(),
    update_time       timestamptz not null default now(),
    delete_time       timestamptz,
    constraint channel_name_key unique (tenant, channel),
    constraint channel_uid_key unique (uid),
    constraint channel_port_check check (port between 0 and 65535),
    constraint channel_protocol_check check (protocol between 1 and 4)
);
create index channel_changed_at_idx on channel (changed_at);

-- A process that shares the work. It is alive as long as heartbeat_at is recent by this database's clock.
create table replica (
    replica_id   uuid primary key,
    started_at   timestamptz not null default now(),
    heartbeat_at timestamptz not null default now(),
    capacity     integer not null,
    polls        boolean not null,
    relays       boolean not null,
    host         text not null,
    constraint replica_capacity_check check (capacity > 0)
) with (fillfactor = 50);

-- Who may act on a channel and how far it has been read. Every commit updates this row, so it stays narrow and its
-- updates stay on the page: only owner is indexed, and it changes with a claim alone.
create table channel_state (
    channel_id   bigint primary key references channel on delete cascade,
    owner        uuid,
    epoch        bigint not null default 0,
    folder       text not null default '',
    uid_validity bigint not null default 0,
    floor_uid    bigint not null default 0,
    last_uid     bigint not null default 0,
    started      timestamptz,                         -- when the initial sync was decided; null while it goes on
    baseline     timestamptz,                         -- when the channel first began; older mail is history
    next_seq     bigint not null default 1
) with (fillfactor = 50);
create index channel_state_owner_idx on channel_state (owner);

-- What people see of a channel's visits. Written when something changes, and once a minute at most to keep last_success.
create table channel_status (
    channel_id    bigint primary key references channel on delete cascade,
    state         smallint not null,
    reason        text not null default '',
    server_text   text not null default '',
    hint          text not null default '',
    detail        text not null default '',
    since         timestamptz not null default now(),
    failures      integer not null default 0,
    auth_failures integer not null default 0,
    last_attempt  timestamptz,
    last_success  timestamptz,
    next_attempt  timestamptz,
    backlog       integer not null default 0,
    visit         jsonb not null default '{}'
) with (fillfactor = 50);

-- The relay's share of the work: outbox rows hash into buckets, and a bucket has one owner.
create table relay_bucket (
    bucket smallint primary key,
    owner  uuid,
    epoch  bigint not null default 0
);
insert into relay_bucket (bucket) select generate_series(0, 63);

-- Every message that was ever listed and has a disposition, one row for each (channel, ref).
-- Partitioned by channel because Postgres allows no unique key without the partition key; messages are partitioned by day.
create table ledger (
    channel_id bigint not null,
    ref        text collate "C" not null,
    standing   smallint not null,                    -- 1 stored, 2 duplicate, 3 deferred, 4 quarantined, 5 skipped
    message_id uuid,                                 -- of stored and duplicate
    content    bytea,                                -- SHA-256 without one final CRLF; null where no body was read
    size       bigint not null,
    reason     text not null default '',
    detail     text not null default '',
    attempts   smallint not null default 1,
    last_try   timestamptz not null default now(),
    first_seen timestamptz not null default now(),
    unsettled  boolean not null default false,       -- stored, and still to be settled on the server
    settled_at timestamptz,                          -- when the server confirmed what settled_how says
    settled_how smallint,
    constraint ledger_pkey primary key (channel_id, ref),
    constraint ledger_standing_check check (standing between 1 and 5),
    constraint ledger_message_check check ((standing in (1, 2)) = (message_id is not null)),
    constraint ledger_settled_check check (settled_at is null or standing in (1, 2))
) partition by hash (channel_id);
-- +goose StatementBegin
do $$
begin
    for i in 0..15 loop
        execute format('create table ledger_%s partition of ledger for values with (modulus 16, remainder %s)', i, i);
    end loop;
end $$;
-- +goose StatementEnd
create index ledger_content_idx on ledger (channel_id, content) where standing in (1, 2);
create index ledger_unsettled_idx on ledger (channel_id) where unsettled;
create index ledger_open_idx on ledger (channel_id, standing, first_seen) where standing in (3, 4);

-- One row for each stored message: what the parser made of it. day is the day (UTC) of the message id's time.
create table message (
    day            date not null,
    message_id     uuid not null,
    channel_id     bigint not null,
    seq            bigint not null,                  -- of its arrival event
    epoch          bigint not null,
    replica        uuid not null,
    ref            text not null,
    received_at    timestamptz,
    stored_at      timestamptz not null,
    size           bigint not null,
    sha256         bytea not null,
    parser_version integer not null,
    mail           jsonb compression lz4 not null,   -- envelope, parts, defects
    body_text      text compression lz4 not null,
    constraint message_pkey primary key (day, message_id)
) partition by range (day);
create index message_channel_seq_idx on message (channel_id, seq);
create table message_default partition of message default;

-- The octets as the server sent them, in pieces, so that memory does not follow the size of a mail.
create table raw (
    day        date not null,
    message_id uuid not null,
    piece      integer not null,
    octets     bytea compression lz4 not null,
    constraint raw_pkey primary key (day, message_id, piece)
) partition by range (day);
create table raw_default partition of raw default;

-- Every event ever announced or to be announced, as it was written with the message.
create table event (
    day        date not null,
    channel_id bigint not null,
    seq        bigint not null,
    event_id   uuid not null,
    message_id uuid,
    type       text not null,
    at         timestamptz not null,
    epoch      bigint not null,
    replica    uuid not null,
    data       text compression lz4 not null,
    constraint event_pkey primary key (day, channel_id, seq)
) partition by range (day);
create index event_channel_seq_idx on event (channel_id, seq);
create table event_default partition of event default;

-- Events that the stream has not acknowledged yet. Rows are deleted after the acknowledgement.
create table outbox (
    outbox_id  bigint generated always as identity primary key,
    bucket     smallint not null,
    channel_id bigint not null,
    day        date not null,
    seq        bigint not null,
    replay_id  uuid
) with (autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_cost_delay = 0);

-- Requests to bring a channel back to completeness.
create table replay (
    replay_id      uuid primary key,
    tenant         text not null,
    channel_id     bigint not null references channel,
    kind           smallint not null,
    dry_run        boolean not null,
    first_uid      bigint not null default 0,
    last_uid       bigint not null default 0,
    first_seq      bigint not null default 0,
    last_seq       bigint not null default 0,
    since          timestamptz,
    until          timestamptz,
    state          smallint not null default 1,
    progress       jsonb not null default '{}',
    position       bigint not null default 0,        -- the last sequence that was handed to the outbox
    error          text not null default '',
    requested_by   text not null,
    create_time    timestamptz not null default now(),
    start_time     timestamptz,
    end_time       timestamptz
);
create index replay_channel_idx on replay (channel_id, create_time);
create index replay_open_idx on replay (channel_id) where state in (1, 2);

-- Who changed what. Rows are only ever added.
create table audit (
    audit_id bigint generated always as identity primary key,
    at       timestamptz not null default now(),
    actor    text not null,
    action   text not null,
    resource text not null,
    detail   jsonb not null
);
create index audit_resource_idx on audit (resource, at);

-- Day partitions are made ahead of time; a row in a default partition means that nobody did.
-- +goose StatementBegin
create function make_day_partitions(first date, days integer) returns integer language plpgsql as $$
declare
    made integer := 0;
    parent text;
    d date;
    part text;
begin
    perform pg_advisory_xact_lock(hashtext('mailintake.make_day_partitions'));
    foreach parent in array array['message', 'raw', 'event'] loop
        for i in 0..days - 1 loop
            d := first + i;
            part := format('%s_%s', parent, to_char(d, 'YYYYMMDD'));
            if to_regclass(part) is null then
                execute format('create table %I partition of %I for values from (%L) to (%L)', part, parent, d, d + 1);
                made := made + 1;
            end if;
        end loop;
    end loop;
    return made;
end $$;
-- +goose StatementEnd
select make_day_partitions((now() at time zone 'UTC')::date - 1, 4);
