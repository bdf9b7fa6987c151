-- Who ordered a command; NULL where nobody did but the server itself, or the owner of the device.
ALTER TABLE commands ADD COLUMN ordered_by TEXT;

-- Devices that were given a wipe, or the order to let go: once for each order, however often it is handed out. Kept for a day.
CREATE TABLE wipes_handed_out (
    command_id BYTEA NOT NULL PRIMARY KEY,
    device_id BYTEA NOT NULL,
    at BIGINT NOT NULL
);
-- store::wipes::count_since
CREATE INDEX wipes_handed_out_at ON wipes_handed_out (at);
