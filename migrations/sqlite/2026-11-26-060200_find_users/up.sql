-- What users are found by: store::users::list looks through this as store::devices::list does through device_finder.
CREATE TABLE user_finder (
    user_id BLOB NOT NULL PRIMARY KEY REFERENCES users (id) ON DELETE CASCADE,
    source TEXT NOT NULL,
    role TEXT CHECK (role IN ('administrator', 'helpdesk', 'auditor')),
    words TEXT NOT NULL -- in lower case: the address, and below it the name
) WITHOUT ROWID;
INSERT INTO user_finder (user_id, source, role, words) SELECT id, source, role, email || char(10) || lower(name) FROM users ORDER BY id;

CREATE TRIGGER users_find_insert AFTER INSERT ON users BEGIN
    INSERT INTO user_finder (user_id, source, role, words) VALUES (NEW.id, NEW.source, NEW.role, NEW.email || char(10) || lower(NEW.name));
END;
CREATE TRIGGER users_find_update AFTER UPDATE OF source, role, email, name ON users
WHEN (OLD.source, OLD.role, OLD.email, OLD.name) IS NOT (NEW.source, NEW.role, NEW.email, NEW.name) BEGIN
    UPDATE user_finder SET source = NEW.source, role = NEW.role, words = NEW.email || char(10) || lower(NEW.name) WHERE user_id = NEW.id;
END;

-- store::users::sources
CREATE INDEX users_source ON users (source);
