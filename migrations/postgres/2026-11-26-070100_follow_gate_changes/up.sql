-- What has changed of that from which the gate decides, so that every server forgets what it remembers of it. An empty device
-- means all of them. Written by triggers, in the transaction of the change itself, so that no writer can forget it.
CREATE TABLE gate_changes (
    sequence BIGINT NOT NULL, -- the number of the transaction; store::gate says how it is read
    device_id BYTEA NOT NULL, -- no reference: that the device is gone is one of the changes
    at BIGINT NOT NULL, -- by the database's clock
    PRIMARY KEY (sequence, device_id)
);
-- store::gate::purge
CREATE INDEX gate_changes_at ON gate_changes (at);

CREATE FUNCTION note_gate_change(changed BYTEA) RETURNS VOID LANGUAGE sql AS $$
    INSERT INTO gate_changes (sequence, device_id, at)
    VALUES (txid_current(), changed, CAST(extract(epoch FROM clock_timestamp()) * 1000 AS BIGINT))
    ON CONFLICT DO NOTHING
$$;

CREATE FUNCTION gate_follow_device() RETURNS TRIGGER LANGUAGE plpgsql AS $$
BEGIN
    PERFORM note_gate_change(OLD.id);
    RETURN NULL;
END
$$;
CREATE FUNCTION gate_follow_of_device() RETURNS TRIGGER LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP <> 'INSERT' AND OLD.device_id IS NOT NULL THEN
        PERFORM note_gate_change(OLD.device_id);
    END IF;
    IF TG_OP <> 'DELETE' AND NEW.device_id IS NOT NULL THEN
        PERFORM note_gate_change(NEW.device_id);
    END IF;
    RETURN NULL;
END
$$;
CREATE FUNCTION gate_follow_certificate() RETURNS TRIGGER LANGUAGE plpgsql AS $$
BEGIN
    PERFORM note_gate_change(enrollments.device_id) FROM enrollments
    WHERE enrollments.id = OLD.enrollment_id AND enrollments.device_id IS NOT NULL;
    RETURN NULL;
END
$$;
CREATE FUNCTION gate_follow_user() RETURNS TRIGGER LANGUAGE plpgsql AS $$
BEGIN
    PERFORM note_gate_change(devices.id) FROM devices WHERE devices.user_id = NEW.id;
    RETURN NULL;
END
$$;
CREATE FUNCTION gate_follow_member() RETURNS TRIGGER LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        PERFORM note_gate_change(devices.id) FROM devices WHERE devices.user_id = NEW.user_id;
    ELSE
        PERFORM note_gate_change(devices.id) FROM devices WHERE devices.user_id = OLD.user_id;
    END IF;
    RETURN NULL;
END
$$;
CREATE FUNCTION gate_follow_all() RETURNS TRIGGER LANGUAGE plpgsql AS $$
BEGIN
    PERFORM note_gate_change('');
    RETURN NULL;
END
$$;

CREATE TRIGGER gate_devices_update AFTER UPDATE ON devices FOR EACH ROW
WHEN ((OLD.user_id, OLD.platform, OLD.ownership, OLD.state, OLD.enrollment_id, OLD.model, OLD.product_name, OLD.os_version,
       OLD.compliance, OLD.reasons, OLD.deadline)
    IS DISTINCT FROM (NEW.user_id, NEW.platform, NEW.ownership, NEW.state, NEW.enrollment_id, NEW.model, NEW.product_name,
       NEW.os_version, NEW.compliance, NEW.reasons, NEW.deadline))
EXECUTE FUNCTION gate_follow_device();
CREATE TRIGGER gate_devices_delete AFTER DELETE ON devices FOR EACH ROW EXECUTE FUNCTION gate_follow_device();

CREATE TRIGGER gate_postures_insert AFTER INSERT ON postures FOR EACH ROW EXECUTE FUNCTION gate_follow_of_device();
CREATE TRIGGER gate_postures_update AFTER UPDATE ON postures FOR EACH ROW WHEN (OLD.facts IS DISTINCT FROM NEW.facts)
EXECUTE FUNCTION gate_follow_of_device();
CREATE TRIGGER gate_postures_delete AFTER DELETE ON postures FOR EACH ROW EXECUTE FUNCTION gate_follow_of_device();

CREATE TRIGGER gate_exceptions_change AFTER INSERT OR UPDATE OR DELETE ON access_exceptions FOR EACH ROW
EXECUTE FUNCTION gate_follow_of_device();

CREATE TRIGGER gate_enrollments_update AFTER UPDATE ON enrollments FOR EACH ROW
WHEN ((OLD.device_id, OLD.state, OLD.fingerprint) IS DISTINCT FROM (NEW.device_id, NEW.state, NEW.fingerprint))
EXECUTE FUNCTION gate_follow_of_device();

CREATE TRIGGER gate_certificates_update AFTER UPDATE ON certificates FOR EACH ROW
WHEN ((OLD.revoked_at, OLD.not_after, OLD.enrollment_id) IS DISTINCT FROM (NEW.revoked_at, NEW.not_after, NEW.enrollment_id))
EXECUTE FUNCTION gate_follow_certificate();
CREATE TRIGGER gate_certificates_delete AFTER DELETE ON certificates FOR EACH ROW EXECUTE FUNCTION gate_follow_certificate();

CREATE TRIGGER gate_users_update AFTER UPDATE ON users FOR EACH ROW
WHEN ((OLD.state, OLD.email) IS DISTINCT FROM (NEW.state, NEW.email))
EXECUTE FUNCTION gate_follow_user();
CREATE TRIGGER gate_members_change AFTER INSERT OR DELETE ON group_members FOR EACH ROW EXECUTE FUNCTION gate_follow_member();

CREATE TRIGGER gate_settings_insert AFTER INSERT ON settings FOR EACH ROW WHEN (NEW.key IN ('access_rules', 'organization'))
EXECUTE FUNCTION gate_follow_all();
CREATE TRIGGER gate_settings_update AFTER UPDATE ON settings FOR EACH ROW WHEN (NEW.key IN ('access_rules', 'organization'))
EXECUTE FUNCTION gate_follow_all();
CREATE TRIGGER gate_settings_delete AFTER DELETE ON settings FOR EACH ROW WHEN (OLD.key IN ('access_rules', 'organization'))
EXECUTE FUNCTION gate_follow_all();
CREATE TRIGGER gate_excluded_change AFTER INSERT OR DELETE ON access_excluded_groups FOR EACH STATEMENT EXECUTE FUNCTION gate_follow_all();
CREATE TRIGGER gate_policies_change AFTER INSERT OR UPDATE OR DELETE ON policies FOR EACH STATEMENT EXECUTE FUNCTION gate_follow_all();
CREATE TRIGGER gate_policy_groups_change AFTER INSERT OR DELETE ON policy_groups FOR EACH STATEMENT EXECUTE FUNCTION gate_follow_all();
