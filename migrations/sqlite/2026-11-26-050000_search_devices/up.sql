-- What a device is found by, in lower case, in one column: store::devices::list looks through it in one go.
ALTER TABLE devices ADD COLUMN search TEXT NOT NULL DEFAULT '';
UPDATE devices SET search =
    lower(identifier || ' ' || coalesce(serial, '') || ' ' || coalesce(model, '') || ' ' || coalesce(device_name, ''));
