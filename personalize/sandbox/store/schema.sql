-- What the sandbox knows. Times are microseconds since 1970 (UTC); JSON columns are text.

CREATE TABLE IF NOT EXISTS profiles (
    id INTEGER PRIMARY KEY,
    collection TEXT NOT NULL CHECK (collection IN ('users', 'accounts')),
    segment_id TEXT NOT NULL,
    created_at INTEGER NOT NULL
);

CREATE TABLE IF NOT EXISTS external_ids (
    collection TEXT NOT NULL,
    type TEXT NOT NULL,
    value TEXT NOT NULL,
    profile INTEGER NOT NULL REFERENCES profiles ON DELETE CASCADE,
    created_at INTEGER NOT NULL,
    PRIMARY KEY (collection, type, value)
) WITHOUT ROWID;

CREATE INDEX IF NOT EXISTS external_ids_of_a_profile ON external_ids (profile, type);

CREATE TABLE IF NOT EXISTS traits (
    profile INTEGER NOT NULL REFERENCES profiles ON DELETE CASCADE,
    key TEXT NOT NULL,
    value TEXT NOT NULL, -- JSON
    class TEXT NOT NULL CHECK (class IN ('trait', 'audience', 'computed_trait')),
    source TEXT NOT NULL,
    updated_at INTEGER NOT NULL,
    PRIMARY KEY (profile, key)
) WITHOUT ROWID;

CREATE TABLE IF NOT EXISTS events (
    message_id TEXT PRIMARY KEY,
    profile INTEGER NOT NULL REFERENCES profiles ON DELETE CASCADE,
    name TEXT NOT NULL,
    at INTEGER NOT NULL,
    external_ids TEXT NOT NULL, -- JSON: the ids that the call carried, as [type, value]
    context TEXT NOT NULL,      -- JSON
    properties TEXT NOT NULL    -- JSON
) WITHOUT ROWID;

CREATE INDEX IF NOT EXISTS events_in_time ON events (profile, at, message_id);
CREATE INDEX IF NOT EXISTS events_by_name ON events (profile, name);

-- Every message seen, also those that left no event, so that a repeated one changes nothing.
CREATE TABLE IF NOT EXISTS messages (message_id TEXT PRIMARY KEY) WITHOUT ROWID;
