DROP TABLE push_certificates;
