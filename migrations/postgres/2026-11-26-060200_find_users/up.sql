-- What users are found by: store::users::list looks through this as store::devices::list does through device_finder.
CREATE TABLE user_finder (
    user_id BYTEA NOT NULL PRIMARY KEY REFERENCES users (id) ON DELETE CASCADE,
    source TEXT NOT NULL,
    role TEXT CHECK (role IN ('administrator', 'helpdesk', 'auditor')),
    words TEXT NOT NULL -- in lower case: the address, and below it the name
);
INSERT INTO user_finder (user_id, source, role, words) SELECT id, source, role, email || chr(10) || lower(name) FROM users ORDER BY id;

CREATE FUNCTION find_user() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        INSERT INTO user_finder (user_id, source, role, words) VALUES (NEW.id, NEW.source, NEW.role, NEW.email || chr(10) || lower(NEW.name));
    ELSE
        UPDATE user_finder SET source = NEW.source, role = NEW.role, words = NEW.email || chr(10) || lower(NEW.name) WHERE user_id = NEW.id;
    END IF;
    RETURN NULL;
END
$$;
CREATE TRIGGER users_find AFTER INSERT ON users FOR EACH ROW EXECUTE FUNCTION find_user();
CREATE TRIGGER users_find_update AFTER UPDATE OF source, role, email, name ON users FOR EACH ROW
WHEN ((OLD.source, OLD.role, OLD.email, OLD.name) IS DISTINCT FROM (NEW.source, NEW.role, NEW.email, NEW.name))
EXECUTE FUNCTION find_user();

-- store::users::sources
CREATE INDEX users_source ON users (source);
