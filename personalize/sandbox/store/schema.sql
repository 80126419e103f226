-- What the sandbox knows. Times are microseconds since 1970 (UTC); JSON columns are text.

CREATE TABLE IF NOT EXISTS profiles (
    id INTEGER PRIMARY KEY,
    collection TEXT NOT NULL CHECK (collection IN ('users', 'accounts')),
    segment_id TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    first_message_id TEXT NOT NULL,
    updated_at INTEGER NOT NULL,
    last_message_id TEXT NOT NULL
);

-- A profile's own, and those of the profiles that were merged into it.
CREATE TABLE IF NOT EXISTS segment_ids (
    segment_id TEXT PRIMARY KEY,
    profile INTEGER NOT NULL REFERENCES profiles ON DELETE CASCADE
) WITHOUT ROWID;

CREATE INDEX IF NOT EXISTS segment_ids_of_a_profile ON segment_ids (profile);

CREATE TABLE IF NOT EXISTS external_ids (
    collection TEXT NOT NULL,
    type TEXT NOT NULL,
    value TEXT NOT NULL,
    profile INTEGER NOT NULL REFERENCES profiles ON DELETE CASCADE,
    encoding TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    first_message_id TEXT NOT NULL,
    PRIMARY KEY (collection, type, value)
) WITHOUT ROWID;

CREATE INDEX IF NOT EXISTS external_ids_of_a_profile ON external_ids (profile, type);

-- Which users belong to which accounts.
CREATE TABLE IF NOT EXISTS links (
    user INTEGER NOT NULL REFERENCES profiles ON DELETE CASCADE,
    account INTEGER NOT NULL REFERENCES profiles ON DELETE CASCADE,
    created_at INTEGER NOT NULL,
    PRIMARY KEY (user, account)
) WITHOUT ROWID;

CREATE INDEX IF NOT EXISTS links_of_an_account ON links (account);

CREATE TABLE IF NOT EXISTS traits (
    profile INTEGER NOT NULL REFERENCES profiles ON DELETE CASCADE,
    key TEXT NOT NULL,
    value TEXT NOT NULL, -- JSON; null is a trait that was removed
    class TEXT NOT NULL CHECK (class IN ('trait', 'audience', 'computed_trait')),
    source TEXT NOT NULL,
    updated_at INTEGER NOT NULL,
    PRIMARY KEY (profile, key)
) WITHOUT ROWID;

-- An event is the person's, and the account's that it was done for.
CREATE TABLE IF NOT EXISTS events (
    message_id TEXT NOT NULL,
    profile INTEGER NOT NULL REFERENCES profiles ON DELETE CASCADE,
    name TEXT NOT NULL,
    at INTEGER NOT NULL,
    external_ids TEXT NOT NULL, -- JSON: the ids that the call carried, as [type, value, encoding]
    context TEXT NOT NULL,      -- JSON
    properties TEXT NOT NULL,   -- JSON
    PRIMARY KEY (message_id, profile)
) WITHOUT ROWID;

CREATE INDEX IF NOT EXISTS events_in_time ON events (profile, at, message_id);
CREATE INDEX IF NOT EXISTS events_by_name_in_time ON events (profile, name, at, message_id);

-- Every message seen, also those that left no event, so that a repeated one changes nothing.
CREATE TABLE IF NOT EXISTS messages (message_id TEXT PRIMARY KEY) WITHOUT ROWID;
