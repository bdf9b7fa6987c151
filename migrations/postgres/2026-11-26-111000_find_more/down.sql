DROP TRIGGER devices_find_more ON devices;
DROP FUNCTION find_device_more();
DROP TRIGGER devices_find ON devices;
DROP FUNCTION find_new_device();
CREATE TRIGGER devices_find AFTER INSERT ON devices FOR EACH ROW EXECUTE FUNCTION find_device();
ALTER TABLE device_finder DROP COLUMN seen_day;
ALTER TABLE device_finder DROP COLUMN codes;
ALTER TABLE devices DROP COLUMN reason_codes;
