DROP TABLE audit_head;
DROP TABLE audit;
DROP TABLE authorities;
DROP TABLE settings;
