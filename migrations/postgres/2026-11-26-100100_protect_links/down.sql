DROP TABLE link_events;
DROP TABLE protected_links;
