-- Threads, siblings, the rate of senders, and what a channel tells the parser.
-- Locks: channel and message are locked for the moment that it takes to add columns, which rewrites nothing. Commits
-- wait while message gets its indexes, each of which reads the table once: seconds for a gigabyte of what the parser made.
-- The octets lie in raw, which is not touched.

-- +goose Up

alter table channel
    add column aliases          text[] not null default '{}', -- further addresses, as the administrator wrote them
    add column fallback_charset text not null default '',     -- of mail that declares none; empty means the parser's default
    add column authserv_ids     text[] not null default '{}'; -- whose Authentication-Results are believed, RFC 8601 §2.2

-- What messages are known by in a channel. Every Message-ID that a message of the channel has or mentions (References,
-- In-Reply-To) has a row here and with it a thread, so that it does not matter which of two messages comes first. A message
-- without Message-ID, or with one that another message has already, is known by its fingerprint.
-- A key is the first 16 octets of a SHA-256 over tenant, kind and value: a uuid is 16 octets without a length. It comes
-- before the channel because siblings are looked for in all channels of a tenant. Rows of a channel are written under the
-- lock on its channel_state.
create table identifier (
    key         uuid not null,
    channel_id  bigint not null,
    thread      uuid not null,
    message_id  uuid,                                -- the first message that has it; null while it is only mentioned
    fingerprint uuid,                                -- of that message
    sent        timestamptz,                         -- Date of that message
    erased      boolean not null default false,      -- there was such a message, and it was erased
    constraint identifier_pkey primary key (key, channel_id),
    constraint identifier_erased_check check (not erased or message_id is null)
) with (fillfactor = 90);
create index identifier_thread_idx on identifier (channel_id, thread);

-- Rows of an older parser have none of this until a replay of kind parse fills it in.
alter table message
    add column thread      uuid,                     -- id of the message that the conversation began with
    add column threading   jsonb,                    -- how the thread was found, as it was when the message was stored
    add column identifier  uuid,                     -- key of its Message-ID; null if it has none
    add column parent      uuid,                     -- key of the Message-ID that it answers; null if it answers none
    add column fingerprint uuid,                     -- key of Mail.Fingerprint
    add column sender      text,                     -- address of From in lower case
    add column subject_key bigint,                   -- of the subject without prefixes, hashed
    add column reply_text  text compression lz4;     -- null if equal to body_text
create index message_thread_idx on message (channel_id, thread, seq) where thread is not null;
create index message_identifier_idx on message (channel_id, identifier) where identifier is not null;
create index message_sender_idx on message (channel_id, sender, seq) where sender is not null;
create index message_subject_idx on message (channel_id, subject_key, seq) where subject_key is not null;
create index message_unthreaded_idx on message (channel_id, seq) where thread is null;
